/*
 * Asks the server and shows what it says: one request at a time, the next one
 * a while after the answer, none while nobody looks.
 */

const POLL_MS = 1000;
const POLL_MS_MAX = 15000;              /* while nobody answers */
const BYTES_PER_POLL = 200000;          /* more of them: more seldom */
const TIMEOUT_MS = 10000;
const CALM_MS = 5000;                   /* charts, where motion is unwanted */

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const dark = matchMedia('(prefers-color-scheme: dark)');

const polling = { timer: null, busy: false, waitMs: POLL_MS };
const shown = { name: null, answeredMs: 0, drawnMs: 0, lost: false };


async function ask() {
    const response = await fetch('?format=json', {
        cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS),
    });

    if (!response.ok) {
        throw new Error(`it answers ${response.status}`);
    }

    const text = await response.text();
    let answer;

    try {
        answer = JSON.parse(text);

    } catch (e) {
        throw new Error('its answer is no JSON');
    }

    if (answer?.schema !== SCHEMA) {
        throw new Error('its answer is of another version: load this page '
                        + 'anew');
    }

    return { answer, bytes: text.length };
}


async function poll() {
    clearTimeout(polling.timer);

    if (polling.busy || document.hidden) {
        return;
    }

    polling.busy = true;

    try {
        await round();

    } finally {
        polling.busy = false;
        polling.timer = setTimeout(poll, polling.waitMs);
    }
}


async function round() {
    let answer, bytes;

    try {
        ({ answer, bytes } = await ask());

    } catch (e) {
        polling.waitMs = Math.min(POLL_MS_MAX, polling.waitMs * 2);
        unanswered(e);
        return;
    }

    polling.waitMs = POLL_MS * Math.max(1, bytes / BYTES_PER_POLL);
    answered(absorb(answer));
}


function answered(said) {
    shown.answeredMs = performance.now();
    shown.lost = false;
    setText($('lost-said'), model.mixed && model.at - model.mixed.at < 30
        ? `This nginx was started anew, or another one answers here (before: `
          + `${model.mixed.instance}): the charts begin again.` : '');

    if ($('live').hidden) {
        goLive();
    }

    show();
    announce(said);
}


/* The tables have served: from here on the numbers are live. */

function goLive() {
    $('plain').remove();
    $('live').hidden = false;
    document.querySelector('.skip').href = '#detail';
    $('quiet-box').open = model.backends.size <= FEW;
}


/* Many changes at once are read out as their number. */

function announce(said) {
    if (said.length > 3) {
        setText($('said'), `${said.length} changes: `
            + sumText([...model.backends.values()]));

    } else if (said.length > 0) {
        setText($('said'), said.join('. '));
    }
}


function unanswered(e) {
    const what = e.name === 'TimeoutError' ? 'it does not answer in time'
        : e.name === 'TypeError' ? 'it cannot be reached' : e.message;

    shown.lost = true;

    setText($('lost-said'), shown.answeredMs === 0
        ? `The live page cannot begin (${what}); below is what was true when `
          + 'it was loaded.'
        : `No answer from this nginx since ${clockText(model.at)} (${what}): `
          + 'all numbers are from then.');
    tick();
}


function show() {
    const records = byTrouble();
    const chosen = model.backends.get(chosenName());
    const record = chosen ?? records[0];
    const now = performance.now();

    setText($('sum'), sumText(records));
    showNode(model.answer);
    showOverview(records, record);
    tick();

    $('detail').classList.toggle('none', !record);

    if (!record) {
        shown.name = null;
        return;
    }

    showDetail(record, chosen, now - shown.answeredMs);

    if (shown.name !== record.name || !calm.matches
        || now - shown.drawnMs >= CALM_MS)
    {
        shown.name = record.name;
        shown.drawnMs = now;
        charts.forEach((chart) => chart.update(record));
    }
}


/* What changes by itself: the ages, the countdowns, the title. */

function tick() {
    const elapsedMs = performance.now() - shown.answeredMs;
    const record = model.backends.get(shown.name);

    if (shown.lost && shown.answeredMs > 0) {
        setText($('lost-age'), `That is ${secondsText(elapsedMs / 1000)} ago.`);

    } else {
        setText($('lost-age'), '');
    }

    if (record) {
        setList($('orders'), orders(record.backend, elapsedMs / 1000));
    }

    document.title = (shown.lost ? '(no answer) ' : '')
        + (model.answer ? `${sumText([...model.backends.values()])} - ` : '')
        + 'Recovery';
}


function choose() {
    if (model.answer) {
        shown.name = null;
        show();
        $('name').focus();
        $('name').scrollIntoView({ block: 'nearest' });
    }
}


/* The address keeps the choice: a fragment of its own would end it. */

document.querySelector('.skip').addEventListener('click', (event) => {
    if (model.answer) {
        event.preventDefault();
        $('name').focus();
    }
});

addEventListener('hashchange', () => {
    if (location.hash.startsWith(FRAGMENT)) {
        choose();
    }
});

document.addEventListener('visibilitychange', poll);
addEventListener('online', poll);
dark.addEventListener('change', () => charts.forEach(
    (chart) => chart.repaint()));
setInterval(() => document.hidden || tick(), 1000);

poll();
