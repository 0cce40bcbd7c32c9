/*
 * One backend in full: what an operator asks first stands first.  All of it is
 * text that changes in place.
 */

const titles = JSON.parse($('fields').textContent);
const charts = CHARTS.map((spec, i) => new Chart(spec, i));

$('charts').append(...charts.map((chart) => chart.figure));


function showDetail(record, chosen, elapsedMs) {
    const backend = record.backend;

    showName(record, chosen);
    setList($('orders'), orders(backend, elapsedMs / 1000));
    setList($('warnings'), warnings(record));
    setText($('why'), backend.why
        ? `Why the limit last moved: ${backend.why}.` : '');
    setFigures(figures(record));
    showTimeline(record);
    showTables(record);
}


function showName({ name, backend, trouble }, chosen) {
    const heading = $('name');

    if (heading.dataset.name !== name || !heading.firstChild) {
        heading.dataset.name = name;
        heading.replaceChildren(el('span', { class: 'who' }, name), ' ',
                                el('b'), ' ', el('small'));
    }

    const [, , phase, , age] = heading.childNodes;

    setText(phase, backend.phase);
    setClass(phase, backend.phase);
    setText(age, `for ${durationText(backend.phase_age_ms)}`);

    setText($('followed'), chosen ? ''
        : chosenName() !== null
            ? `There is no "${chosenName()}" here.`
        : model.backends.size < 2 ? ''
            : trouble === QUIET ? 'None is in trouble; this is the first.'
                : 'The one in most trouble; choose one to stay with it.');
}


function setList(list, texts) {
    while (list.children.length > texts.length) {
        list.lastChild.remove();
    }

    while (list.children.length < texts.length) {
        list.append(el('li'));
    }

    texts.forEach((text, i) => setText(list.children[i], text));
    list.hidden = texts.length === 0;
}


/* "for another 9 min 50 s", counted down between two answers, too */

function leftText(s, elapsedS) {
    return s === null || s === undefined ? 'without an end'
        : s > elapsedS ? `for another ${secondsText(s - elapsedS)}`
        : 'until just now';
}


function byText(by, reason) {
    return (by ? ` by ${by}` : '') + (reason ? `: ${reason}` : '');
}


function upper(text) {
    return text.charAt(0).toUpperCase() + text.slice(1);
}


function orders(backend, elapsedS) {
    const { force, override } = backend;
    const texts = [];

    if (force) {
        texts.push(upper(forceText(force.force, force.level)) + ' '
            + leftText(force.until_s, elapsedS)
            + (force.source === 'local' ? ', ordered at this nginx'
                                        : ', ordered in Redis')
            + byText(force.by, force.reason));
    }

    if (backend.promote) {
        texts.push(`Classes up to ${backend.promote} are let in, ordered in `
            + 'Redis');
    }

    if (!override) {
        return texts;
    }

    if (override.force && force?.source !== 'local') {
        texts.push('Ordered at this nginx: '
            + `${forceText(override.force, override.force_level)} `
            + leftText(override.force_until_s, elapsedS));
    }

    if (override.health) {
        texts.push(`Ordered at this nginx: health ${override.health} `
            + leftText(override.health_until_s, elapsedS)
            + (backend.health_source === 'local'
                ? byText(backend.health_by, backend.health_reason) : ''));
    }

    if (override.class) {
        texts.push('Ordered at this nginx: classes up to '
            + `${override.class} are let in `
            + leftText(override.class_until_s, elapsedS));
    }

    return texts;
}


const STANDS_IN = {
    kept: 'its last word is kept',
    shed: 'everything is shed',
    pass: 'everything passes',
};


function warnings({ backend, rates }) {
    const texts = [];

    if (backend.signal_lost) {
        texts.push('The signal is lost: '
            + (STANDS_IN[backend.signal_mode] ?? 'the policy decides')
            + '.');

    } else if (backend.signal_mode === 'held') {
        texts.push('Redis has not answered lately: nothing rises.');
    }

    if (backend.health_damped) {
        texts.push('Health flaps: up counts when it has held for a while.');
    }

    if (rates && rates.dry > 0) {
        texts.push(`Dry run: ${rateText(rates.dry)} would be shed.`);
    }

    return texts;
}


function etaText(backend) {
    if (backend.eta_s > 0) {
        return `about ${secondsText(backend.eta_s)}`;
    }

    if (backend.eta_s === 0) {
        return backend.allowed_per_s === null ? 'it is full' : 'any moment';
    }

    return backend.phase === 'ramping' ? 'no forecast'
        : 'no ramp yet';
}


function healthText(backend) {
    if (backend.health === null) {
        return 'nobody has said';
    }

    return `${backend.health}, said by ${backend.health_source}`
        + byText(backend.health_by, backend.health_reason)
        + (backend.health_age_ms === null ? ''
            : `, heard ${durationText(backend.health_age_ms)} ago`);
}


function figures({ backend, rates }) {
    const field = (kind, key) => fieldText(kind, backend, key);

    return [
        ['Level', field('ratio', 'level')],
        ['Full service in', etaText(backend)],
        ['Demand', rateText(rates && rates.offered)],
        ['Allowed', field('rate', 'allowed_per_s')],
        ['Delivered', field('rate', 'delivered_per_s')],
        ['Shed', rates && rates.offered > 0
            ? `${rateText(rates.shed)}, ${ratioText(rates.shed
                                                    / rates.offered)}`
            : rateText(rates && rates.shed)],
        ['In flight', backend.in_flight + (backend.in_flight_limit === null
            ? ', no limit' : `, at most ${backend.in_flight_limit}`)],
        ['Errors', field('ratio', 'error_ratio')],
        ['Latency', backend.latency_p50_ms === null ? NONE
            : `${field('ms', 'latency_p50_ms')} median, `
              + `${field('ms', 'latency_p90_ms')} 90 %`],
        ['Health', healthText(backend)],
    ];
}


function setFigures(pairs) {
    const list = $('figures');

    if (list.children.length !== pairs.length) {
        list.replaceChildren(...pairs.map(([title]) => el('div', {},
            el('dt', {}, title), el('dd'))));
    }

    pairs.forEach(([, text], i) => setText(list.children[i].lastChild, text));
}


/*
 * [{ phase, from, to }], as the events tell it, within what the charts show.
 * Before the first of a full list of events, and before this nginx was there,
 * nothing is known.
 */

const EVENTS_MAX = 32;


function phasesOf(record, [from, to]) {
    const events = record.backend.events;
    const known = events.length < EVENTS_MAX ? model.started
        : Date.parse(events[0].time) / 1000;
    const moves = events
        .filter((event) => event.from !== event.to)
        .map((event) => ({ at: Date.parse(event.time) / 1000,
                           before: event.from, phase: event.to }))
        .filter((move) => move.at <= to);
    const spans = [];
    let since = from;
    let phase = moves.length ? moves[0].before : record.backend.phase;

    if (known > from) {
        since = Math.min(known, to);
        spans.push({ phase: 'unknown', from, to: since });
    }

    for (const move of moves) {
        if (move.at > since) {
            spans.push({ phase, from: since, to: move.at });
            since = move.at;
        }

        phase = move.phase;
    }

    spans.push({ phase, from: since, to });

    return spans;
}


function showTimeline(record) {
    const span = spanOf(record);
    const spans = phasesOf(record, span);
    const list = $('timeline');

    while (list.children.length > spans.length) {
        list.lastChild.remove();
    }

    while (list.children.length < spans.length) {
        list.append(el('li', {}, el('span')));
    }

    spans.forEach(({ phase, from, to }, i) => {
        const item = list.children[i];
        const text = `${phase} for ${secondsText(to - from)}, from `
                     + clockText(from);

        setClass(item, `phase-${phase}`);
        item.style.flexGrow = to - from;
        item.title = text;
        setText(item.firstChild, text);
    });

    setText($('timeline-span'), `${clockText(span[0])} to `
        + `${clockText(span[1])}, as the charts below; all times are UTC`);
}


function showTables(record) {
    const { backend, rates } = record;

    setTable($('classes'), {
        caption: 'Requests per second by class, first served first',
        heads: ['Class', 'Demand', 'Let in', 'Shed', 'Part shed', 'Dry run',
                'Cohorts let in'],
        rows: backend.classes.map((one) => {
            const mine = rates?.classes.get(one.name);

            return [one.name, rateText(mine?.offered ?? null),
                    rateText(mine?.passed ?? null),
                    rateText(mine?.shed ?? null),
                    mine && mine.offered > 0
                        ? ratioText(mine.shed / mine.offered) : NONE,
                    rateText(mine?.dry ?? null),
                    valueText('count', one.cut_cohort)];
        }),
        look: 'list numbers',
    });

    const reasons = reasonsOf(record);

    setTable($('reasons'), {
        caption: reasons.length ? 'All that was ever shed'
                                : 'Nothing was ever shed',
        heads: ['Class', ...reasons, 'all'],
        rows: backend.classes.map((one) => [one.name,
            ...reasons.map((reason) => String(one.shed_by_reason[reason] ?? 0)),
            String(one.shed)]),
        look: 'list numbers',
    });

    const events = titles.backend.find(([key]) => key === 'events');

    setTable($('events'), {
        caption: `The last ${backend.events.length}, the newest first`,
        heads: events[3].map(([, title]) => title),
        rows: [...backend.events].reverse().map((event) => events[3].map(
            ([key, , kind]) => valueText(kind, event[key]))),
        look: 'list',
    });

    setTable($('numbers'), { caption: 'As the JSON has them',
        rows: numberRows(titles.backend, backend), look: 'rows' });
}


/* An object is its fields, as in the tables of the server. */

function numberRows(fields, object) {
    const rows = [];

    for (const [key, title, kind, inside] of fields) {
        if (kind === 'list') {
            continue;
        }

        if (kind === 'object') {
            if (object[key]) {
                rows.push(...numberRows(inside, object[key]));
            }

            continue;
        }

        rows.push([title, fieldText(kind, object, key)]);
    }

    return rows;
}


function showNode(answer) {
    setTable($('this'), { caption: 'The nginx that answers, and its Redis',
        rows: numberRows(titles.node, answer), look: 'rows' });

    const { redis } = answer;

    setText($('node'), `${answer.instance}, up for `
        + `${durationText(answer.uptime_s * 1000)}; Redis: ${redis.state}`
        + (redis.last_success_age_ms === null ? ''
            : `, heard ${durationText(redis.last_success_age_ms)} ago`));
    setClass($('node'), ['connected', 'off'].includes(redis.state) ? ''
                                                                   : 'bad');
}
