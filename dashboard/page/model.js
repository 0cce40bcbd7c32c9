/*
 * What the page knows: the last answer, and of each backend what it was like
 * while the page has been open.  The server counts; rates are the differences
 * between two answers, over the time between them by the server's own clock.
 */

const SCHEMA = 1;

const SPAN_S = 15 * 60;                 /* what the charts look back */
const SAMPLES_MAX = 900;                /* of one backend */
const SAMPLES_ALL = 90000;              /* of all of them */
const GAP_S = 20;                       /* not asked for so long: a gap */


/* From the one that needs somebody to the one that does not. */

const PHASES = ['down', 'probing', 'ramping', 'degraded', 'verifying', 'up'];


const model = {
    answer: null,
    at: 0,                              /* unix time of the answer */
    started: 0,                         /* of the zone that counts */
    mixed: null,                        /* who else answered, when */
    backends: new Map(),
};


/*
 * Takes an answer in and tells what an operator would want to be told, as
 * texts.
 */

function absorb(answer) {
    const at = Date.parse(answer.now) / 1000;
    const first = model.answer === null;
    const said = [];

    noteWriter(answer, at);

    const known = model.backends;
    const samples = Math.max(60, Math.min(SAMPLES_MAX, Math.floor(
        SAMPLES_ALL / Math.max(1, Object.keys(answer.backends).length))));

    model.backends = new Map();
    model.answer = answer;
    model.at = at;

    for (const [name, backend] of Object.entries(answer.backends)) {
        const record = known.get(name) ?? { name, samples: [], changed: at };
        const before = record.backend;

        addSample(record, backend, at, samples);

        record.backend = backend;
        record.at = at;
        record.trouble = trouble(record);
        model.backends.set(name, record);

        if (!first && before) {
            said.push(...news(name, before, backend));
        }
    }

    return said;
}


/*
 * Counters are of one zone.  When another one answers, nothing that was
 * counted before compares: nginx was restarted, or there are several behind
 * one address, and then no chart would mean anything.
 */

function noteWriter(answer, at) {
    const started = at - answer.uptime_s;
    const before = model.answer;

    if (before && (before.instance !== answer.instance
                   || Math.abs(started - model.started) > 3))
    {
        model.backends = new Map();
        model.mixed = { instance: before.instance, at };
    }

    model.started = started;
}


function addSample(record, backend, at, max) {
    const before = record.backend;
    const dt = before ? at - record.at : 0;

    if (before && dt <= 0) {
        return;
    }

    record.rates = before ? rates(before, backend, dt) : null;

    if (before && dt > GAP_S) {
        record.samples.push({ t: at - dt / 2, gap: true });
    }

    record.samples.push(charted(at, backend, record.rates));

    while (record.samples.length > max || record.samples[0].t < at - SPAN_S) {
        record.samples.shift();
    }
}


/* Only what the charts show is kept of what was. */

function charted(t, backend, rates) {
    return {
        t, rates,
        phase: backend.phase,
        allowed: backend.allowed_per_s,
        delivered: backend.delivered_per_s,
        reference: backend.reference_per_s,
        p50: backend.latency_p50_ms,
        p90: backend.latency_p90_ms,
    };
}


/* Per second, by class and by reason; null when a counter went backwards. */

function rates(before, after, dt) {
    const old = new Map(before.classes.map((one) => [one.name, one]));
    const sum = { offered: 0, passed: 0, shed: 0, dry: 0,
                  classes: new Map(), reasons: new Map() };

    for (const one of after.classes) {
        const was = old.get(one.name);

        if (!was || one.offered < was.offered) {
            return null;
        }

        const mine = {
            offered: (one.offered - was.offered) / dt,
            passed: (one.passed - was.passed) / dt,
            shed: (one.shed - was.shed) / dt,
            dry: (one.shed_dry_run - was.shed_dry_run) / dt,
        };

        for (const key of ['offered', 'passed', 'shed', 'dry']) {
            sum[key] += mine[key];
        }

        sum.classes.set(one.name, mine);

        for (const [reason, n] of Object.entries(one.shed_by_reason)) {
            const more = n - (was.shed_by_reason[reason] ?? 0);

            sum.reasons.set(reason,
                            (sum.reasons.get(reason) ?? 0) + more / dt);
        }
    }

    return sum;
}


/*
 * 0 for the worst.  A backend that is up, but not quietly, comes right after
 * those that are on their way; one that is quietly up comes last.
 */

const ODD = PHASES.indexOf('verifying');
const QUIET = ODD + 2;


function trouble({ backend, rates }) {
    const rank = PHASES.indexOf(backend.phase);

    if (rank >= 0 && rank < ODD) {
        return rank;
    }

    if (backend.force || backend.override || backend.signal_lost
        || backend.health_damped || backend.error_ratio > 0.05
        || (rates && rates.shed > 0))
    {
        return ODD;
    }

    return backend.phase === 'up' ? QUIET : ODD + 1;
}


/* Worst first, in the order of the configuration. */

function byTrouble() {
    return [...model.backends.values()].sort((a, b) => a.trouble - b.trouble);
}


function forceText(force, level) {
    switch (force) {
    case 'hold':
        return 'the ramp is held';
    case 'level':
        return `forced to ${ratioText(level)}`;
    case 'none':
        return 'no force counts';
    default:
        return `forced ${force}`;
    }
}


function news(name, before, after) {
    const said = [];

    if (before.phase !== after.phase) {
        said.push(`${name}: ${after.phase}, ${after.why ?? 'no reason told'}`);
    }

    if (before.force?.force !== after.force?.force) {
        said.push(after.force
            ? `${name}: ${forceText(after.force.force, after.force.level)}`
            : `${name}: the force has ended`);
    }

    if (before.signal_lost !== after.signal_lost) {
        said.push(`${name}: the signal is `
                  + (after.signal_lost ? 'lost' : 'back'));
    }

    return said;
}
