/*
 * Numbers as the tables of the server show them, and elements to put them
 * into.  Whatever comes from outside becomes text and nothing else: the page's
 * policy would stop markup, and nothing here makes any.
 */

const NONE = '\u2013';


/* At most one decimal, and no zero at the end. */

function decimal(n) {
    return String(Math.round(n * 10) / 10);
}


function rateText(n) {
    return n === null ? NONE : decimal(n) + ' /s';
}


function ratioText(n) {
    return n === null ? NONE : decimal(n * 100) + ' %';
}


/* "350 ms", "12.3 s", "5 min 3 s", "2 h 5 min", "3 d 4 h" */

function durationText(ms) {
    if (ms === null) {
        return NONE;
    }

    const s = Math.floor(ms / 1000);

    if (ms < 1000) {
        return Math.floor(ms) + ' ms';
    }

    if (s < 60) {
        return Math.floor(ms / 100) / 10 + ' s';
    }

    if (s < 3600) {
        return `${Math.floor(s / 60)} min ${s % 60} s`;
    }

    if (s < 86400) {
        return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
    }

    return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}


/* Of a countdown: no tenths. */

function secondsText(s) {
    return s < 60 ? Math.floor(s) + ' s' : durationText(s * 1000);
}


function timeText(iso) {
    return iso === null ? NONE : `${iso.slice(0, 10)} ${iso.slice(11, 19)}Z`;
}


function clockText(unixS) {
    return new Date(unixS * 1000).toISOString().slice(11, 19) + 'Z';
}


function countsText(counts) {
    return Object.entries(counts).map(([word, n]) => `${word} ${n}`)
        .join(', ') || NONE;
}


/* By the kinds of ngx_http_recovery_fields.h. */

const TEXT_OF = {
    rate: rateText,
    ratio: ratioText,
    ms: durationText,
    us: (n) => n === null ? NONE : durationText(n / 1000),
    seconds: (n) => n === null ? NONE : durationText(n * 1000),
    bool: (n) => n ? 'yes' : 'no',
    time: timeText,
    counts: countsText,
};


function valueText(kind, value) {
    if (value === undefined || value === null) {
        return NONE;
    }

    return TEXT_OF[kind] ? TEXT_OF[kind](value) : String(value);
}


/* JSON says null for what is unknown and for what has no limit. */

const LIMITS = ['allowed_per_s', 'ceiling_per_s', 'in_flight_limit', 'level'];


function isUnlimited(backend, key) {
    return backend[key] === null && LIMITS.includes(key)
        && (key !== 'level' || backend.allowed_per_s === null);
}


function fieldText(kind, object, key) {
    return isUnlimited(object, key) ? 'no limit' : valueText(kind, object[key]);
}


function $(id) {
    return document.getElementById(id);
}


/* el('a', { href: '#x' }, 'text', another element) */

function el(tag, attributes = {}, ...inside) {
    const element = document.createElement(tag);

    for (const [name, value] of Object.entries(attributes)) {
        element.setAttribute(name, value);
    }

    element.append(...inside);

    return element;
}


/* What did not change is left alone: readers and selections stay. */

function setText(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}


function setClass(element, name) {
    if (element.className !== name) {
        element.className = name;
    }
}


/*
 * A table of texts; the first of a row says what the row is of.  Its shape is
 * made once, then only texts change.
 */

function setTable(box, { caption, heads, rows, look }) {
    const shape = JSON.stringify([heads, rows.length, look]);
    let table = box.querySelector('table');

    if (!table || table.dataset.shape !== shape) {
        table = tableOf(heads, rows, look);
        table.dataset.shape = shape;
        box.replaceChildren(table);
    }

    setText(table.caption, caption);

    rows.forEach((row, i) => row.forEach((cell, k) => {
        setText(table.tBodies[0].rows[i].cells[k], cell);
    }));
}


function tableOf(heads, rows, look) {
    const cells = (row) => row.map((cell, i) => i === 0
        ? el('th', { scope: 'row' }) : el('td'));
    const table = el('table', { class: look }, el('caption'));

    if (heads) {
        table.append(el('thead', {}, el('tr', {},
            ...heads.map((head) => el('th', { scope: 'col' }, head)))));
    }

    table.append(el('tbody', {},
        ...rows.map((row) => el('tr', {}, ...cells(row)))));

    return table;
}
