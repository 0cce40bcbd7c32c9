/*
 * The curves of one backend.  Beside each stand the same numbers as text: the
 * last ones in its legend, the others in a table.
 */

const PLOT_HEIGHT = 190;
const TABLE_ROWS = 12;
const CLASS_COLOURS = 8;


/* [{ label, colour, value(sample) }] of each chart; stacked from below. */

const CHARTS = [
    {
        title: 'Demand, allowed, delivered, per second',
        text: rateText,
        lines: () => [
            { label: 'demand', colour: 'demand',
              value: (sample) => sample.rates?.offered },
            { label: 'allowed', colour: 'allowed', none: 'no limit',
              value: (sample) => sample.allowed },
            { label: 'delivered', colour: 'delivered',
              value: (sample) => sample.delivered },
            { label: 'reference', colour: 'reference', dash: [6, 4],
              value: (sample) => sample.reference },
        ],
    },
    {
        title: 'Let in, by class, per second',
        text: rateText,
        stacked: (record) => record.backend.classes.map((one, i) => ({
            label: one.name, colour: `c${i % CLASS_COLOURS}`,
            value: (sample) => sample.rates
                ? sample.rates.classes.get(one.name)?.passed : null,
        })),
        lines: () => [
            { label: 'demand', colour: 'demand',
              value: (sample) => sample.rates?.offered },
        ],
    },
    {
        title: 'Shed, by reason, per second',
        text: rateText,
        stacked: (record) => reasonsOf(record).map((reason, i) => ({
            label: reason, colour: `c${i % CLASS_COLOURS}`,
            value: (sample) => sample.rates
                ? sample.rates.reasons.get(reason) ?? 0 : null,
        })),
        lines: () => [],
    },
    {
        title: 'Latency of the backend, ms',
        text: durationText,
        lines: () => [
            { label: 'median', colour: 'delivered',
              value: (sample) => sample.p50 },
            { label: '90 %', colour: 'demand',
              value: (sample) => sample.p90 },
        ],
    },
];


function reasonsOf(record) {
    const reasons = new Set();

    for (const one of record.backend.classes) {
        Object.keys(one.shed_by_reason).forEach((word) => reasons.add(word));
    }

    return [...reasons];
}


function colourOf(name) {
    return getComputedStyle(document.documentElement)
        .getPropertyValue(`--${name}`).trim();
}


/* What the charts and the phases above them show: from a minute on. */

function spanOf(record) {
    const to = model.at;
    const from = Math.min(record.samples[0].t, to - 60);

    return [Math.max(from, to - SPAN_S), to];
}


/* 0.25, 1500, 2000000; the title has the unit. */

function axisText(n) {
    return String(Number(n.toFixed(2)));
}


class Chart {
    constructor(spec, index) {
        const id = `chart-${index}`;

        this.spec = spec;
        this.box = el('div', { class: 'plot', role: 'img' });
        this.legend = el('ul', { class: 'legend' });
        this.table = el('div', { class: 'wide', tabindex: '0',
                                 role: 'region', 'aria-labelledby': id });
        this.details = el('details', {},
                          el('summary', {}, `${spec.title}: as a table`),
                          this.table);
        this.figure = el('figure', { 'aria-labelledby': id },
                         el('h3', { id }, spec.title), this.box, this.legend,
                         this.details);

        this.details.addEventListener('toggle', () => this.showTable());
        new ResizeObserver(() => this.resize()).observe(this.box);
    }

    /* Series as they are, and as they are drawn: the sums of a stack. */

    read(record) {
        const samples = record.samples;
        const stacked = this.spec.stacked?.(record) ?? [];
        const series = [...stacked, ...this.spec.lines(record)];

        this.samples = samples;
        this.times = samples.map((sample) => sample.t);
        this.series = series;
        this.values = series.map((one) => samples.map(
            (sample) => sample.gap ? null : one.value(sample) ?? null));

        const sums = this.values.map((column) => [...column]);

        for (let i = 1; i < stacked.length; i++) {
            sums[i] = sums[i].map((n, k) => n === null ? null
                : n + (sums[i - 1][k] ?? 0));
        }

        /* the highest of a stack first, so that the lower ones cover it */

        this.order = [...series.keys()];
        this.order.sort((a, b) => a < stacked.length && b < stacked.length
            ? b - a : a - b);
        this.nstacked = stacked.length;
        this.drawn = [this.times, ...this.order.map((i) => sums[i])];
    }

    update(record) {
        this.read(record);
        this.span = spanOf(record);

        const shape = JSON.stringify(this.series.map(
            (one) => [one.label, one.colour]));

        if (shape !== this.shape) {
            this.shape = shape;
            this.build();

        } else {
            this.plot.setData(this.drawn, true);
        }

        this.showLegend(this.plot.cursor.idx);
        this.showTable();
        this.describe();
    }

    build() {
        this.plot?.destroy();
        this.legend.replaceChildren(...this.series.map((one) => el('li', {},
            el('span', { class: `key ink-${one.colour}` }), `${one.label} `,
            el('b'))));
        this.plot = new uPlot(this.options(), this.drawn, this.box);
    }

    /* The theme has changed: what is drawn has its colours inside. */

    repaint() {
        if (this.plot) {
            this.build();
            this.showLegend(null);
        }
    }

    options() {
        const ink = colourOf('dim');
        const grid = { stroke: colourOf('line'), width: 1 };
        const axis = { stroke: ink, grid, ticks: grid,
                       font: '12px system-ui, sans-serif' };

        return {
            width: this.box.clientWidth || 300,
            height: PLOT_HEIGHT,
            legend: { show: false },
            tzDate: (t) => uPlot.tzDate(new Date(t * 1000), 'Etc/UTC'),
            cursor: { y: false, drag: { x: false, y: false },
                      sync: { key: 'recovery' } },
            scales: {
                x: { time: true, range: () => this.span },
                y: { range: (u, min, max) => [0, max > 0 ? max * 1.05 : 1] },
            },
            axes: [
                { ...axis, space: 60,
                  values: (u, times) => times.map(
                      (t) => clockText(t).slice(0, -1)) },
                { ...axis, size: 58,
                  values: (u, values) => values.map(axisText) },
            ],
            series: [{}, ...this.order.map((i) => this.line(i))],
            hooks: { setCursor: [(u) => this.showLegend(u.cursor.idx)] },
        };
    }

    line(i) {
        const { label, colour, dash } = this.series[i];
        const stroke = colourOf(colour);
        const area = i < this.nstacked;

        return { label, stroke, dash, width: area ? 1 : 2,
                 fill: area ? stroke : undefined,
                 points: { show: false } };
    }

    textOf(i, k) {
        const value = this.values[i][k];

        return value === null && !this.samples[k].gap
            ? this.series[i].none ?? NONE : this.spec.text(value);
    }

    /* What is under the cursor, or the last. */

    showLegend(at) {
        const k = at ?? this.times.length - 1;

        [...this.legend.children].forEach((item, i) => {
            setText(item.lastChild, this.textOf(i, k));
        });
    }

    showTable() {
        if (!this.details.open || !this.times) {
            return;
        }

        const n = this.times.length;
        const step = Math.ceil(n / TABLE_ROWS);
        const rows = [];

        for (let k = n - 1; k >= 0; k -= step) {
            rows.push([clockText(this.times[k]), ...this.series.map(
                (one, i) => this.textOf(i, k))]);
        }

        setTable(this.table, {
            caption: `${this.spec.title}, the newest first`,
            heads: ['Time', ...this.series.map((one) => one.label)],
            rows, look: 'list numbers',
        });
    }

    describe() {
        const k = this.times.length - 1;
        const now = this.series.map(
            (one, i) => `${one.label} ${this.textOf(i, k)}`);

        this.box.setAttribute('aria-label', `${this.spec.title}, the last `
            + `${secondsText(this.span[1] - this.span[0])}. Now: `
            + `${now.join(', ') || 'nothing'}.`);
    }

    resize() {
        const width = this.box.clientWidth;

        if (this.plot && width > 0 && width !== this.plot.width) {
            this.plot.setSize({ width, height: PLOT_HEIGHT });
        }
    }
}
