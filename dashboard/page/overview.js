/*
 * All backends: those in trouble first and in full, the others folded away
 * when they are many.  The one that is shown is chosen in the address, so that
 * it can be sent to somebody; without a choice it is the worst one.
 */

const FEW = 24;
const FRAGMENT = '#backend=';

const items = new Map();


function chosenName() {
    if (!location.hash.startsWith(FRAGMENT)) {
        return null;
    }

    try {
        return decodeURIComponent(location.hash.slice(FRAGMENT.length));

    } catch (e) {
        return null;
    }
}


function makeItem(name) {
    const item = {
        name: el('span', { class: 'who' }, name),
        phase: el('b'),
        state: el('span', { class: 'state' }),
        level: el('span', { class: 'level', 'aria-hidden': 'true' }),
    };

    item.link = el('a', { href: FRAGMENT + encodeURIComponent(name) },
                   item.name, ' ', item.phase, ' ', item.state, item.level);
    item.row = el('li', {}, item.link);

    return item;
}


/* "12 %, full service in 40 s, forced, sheds 31 /s" */

function stateText({ backend, rates }) {
    const words = [];

    if (backend.phase !== 'up' && backend.level !== null) {
        words.push(ratioText(backend.level));
    }

    if (backend.eta_s > 0) {
        words.push(`full service in ${secondsText(backend.eta_s)}`);
    }

    if (backend.force) {
        words.push(forceText(backend.force.force, backend.force.level));
    }

    if (backend.signal_lost) {
        words.push('signal lost');
    }

    if (backend.health_damped) {
        words.push('health flaps');
    }

    if (backend.error_ratio > 0.05) {
        words.push(`${ratioText(backend.error_ratio)} errors`);
    }

    if (rates && rates.shed > 0) {
        words.push(`sheds ${rateText(rates.shed)}`);
    }

    return words.join(', ');
}


/* A link that has the focus keeps it, wherever its row goes. */

function setRows(list, rows) {
    if (rows.length === list.children.length
        && rows.every((row, i) => row === list.children[i]))
    {
        return;
    }

    const focused = document.activeElement;
    const held = rows.some((row) => row.contains(focused));

    list.replaceChildren(...rows);

    if (held) {
        focused.focus({ preventScroll: true });
    }
}


function showOverview(records, shown) {
    const quiet = records.filter((record) => record.trouble === QUIET);

    for (const record of records) {
        if (!items.has(record.name)) {
            items.set(record.name, makeItem(record.name));
        }

        const item = items.get(record.name);

        setText(item.phase, record.backend.phase);
        setClass(item.phase, record.backend.phase);
        setText(item.state, stateText(record));
        item.level.style.width = ratioText(record.backend.level ?? 0)
            .replace(' ', '');

        if (record === shown) {
            item.link.setAttribute('aria-current', 'true');

        } else {
            item.link.removeAttribute('aria-current');
        }
    }

    setRows($('troubled'), records.filter((one) => one.trouble !== QUIET)
        .map((one) => items.get(one.name).row));
    setRows($('quiet'), quiet.map((one) => items.get(one.name).row));

    $('overview').hidden = records.length < 2;
    $('quiet-box').hidden = quiet.length === 0;
    setText($('quiet-sum'), `${quiet.length} quietly up`);
}


/* "2 down, 1 ramping, 997 up" */

function sumText(records) {
    const sums = new Map();

    for (const { backend } of records) {
        sums.set(backend.phase, (sums.get(backend.phase) ?? 0) + 1);
    }

    return [...sums].map(([phase, n]) => `${n} ${phase}`).join(', ')
        || 'no backend is configured';
}
