
/*
 * The troubles of a replay: above what was wanted, let in and served, with
 * the phases below it; then what was shed, by class.  Quiet times between two
 * troubles are left out, a line marks where.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "replay.h"


#define SVG_W        960
#define SVG_PANEL_H  260
#define SVG_LEFT     60
#define SVG_RIGHT    20
#define SVG_TOP      60
#define SVG_BOTTOM   30
#define SVG_COLUMNS  900                /* points of a curve, at most */
#define SVG_TIMES    6                  /* written below it */
#define SVG_PHASE_H  5


typedef struct {
    const sim_replay_t  *replay;
    FILE                *file;
    sim_row_t           *rows;          /* in steps */
    unsigned             n;
    uint32_t             step_s;
} svg_t;

/* < 0: there is none. */
typedef double (*svg_value_pt)(const sim_row_t *row, unsigned class_index);


static const char *const  svg_colours[] = {
    "#1b4f9e", "#d95f02", "#1b9e77", "#c51b7d", "#7570b3", "#66a61e",
    "#a6761d", "#666666"
};

#define SVG_COLOURS  (sizeof(svg_colours) / sizeof(svg_colours[0]))


static double
svg_wanted(const sim_row_t *row, unsigned class_index)
{
    (void) class_index;
    return row->offered / row->seconds;
}


static double
svg_passed(const sim_row_t *row, unsigned class_index)
{
    (void) class_index;
    return row->passed / row->seconds;
}


static double
svg_served(const sim_row_t *row, unsigned class_index)
{
    (void) class_index;
    return row->good / row->seconds;
}


static double
svg_capacity(const sim_row_t *row, unsigned class_index)
{
    (void) class_index;
    return (row->capacity > 0) ? row->capacity / row->seconds : -1;
}


static double
svg_shed(const sim_row_t *row, unsigned class_index)
{
    return (double) row->class_shed[class_index] / row->seconds;
}


static const struct {
    const char    *name;
    const char    *style;
    svg_value_pt   value;
} svg_curves[] = {
    { "backend could do", "stroke:#999;stroke-dasharray:6 3", svg_capacity },
    { "wanted", "stroke:#bbb", svg_wanted },
    { "let in", "stroke:#d95f02", svg_passed },
    { "served", "stroke:#1b4f9e;stroke-width:2", svg_served }
};

#define SVG_CURVES  (sizeof(svg_curves) / sizeof(svg_curves[0]))


static double
svg_x(const svg_t *svg, double i)
{
    return SVG_LEFT + (SVG_W - SVG_LEFT - SVG_RIGHT) * i / svg->n;
}


static double
svg_y(unsigned top, double part)
{
    return top + SVG_PANEL_H - SVG_BOTTOM
           - (SVG_PANEL_H - SVG_TOP - SVG_BOTTOM) * fmin(part, 1.05);
}


/* There is a quiet time before it. */

static int
svg_gap(const svg_t *svg, unsigned i)
{
    const sim_row_t  *before;

    if (i == 0) {
        return 0;
    }

    before = &svg->rows[i - 1];

    return sim_rows_at(&svg->replay->rows, svg->rows[i].at_s, svg->step_s)
           > sim_rows_at(&svg->replay->rows, before->at_s + before->seconds,
                         svg->step_s);
}


static void
svg_curve(const svg_t *svg, svg_value_pt value, unsigned class_index,
    double highest, unsigned top, const char *style)
{
    int       open;
    double    y;
    unsigned  i;

    open = 0;

    for (i = 0; i < svg->n; i++) {
        y = value(&svg->rows[i], class_index);

        if (open && (y < 0 || svg_gap(svg, i))) {
            fprintf(svg->file, "\"/>\n");
            open = 0;
        }

        if (y < 0) {
            continue;
        }

        if (!open) {
            fprintf(svg->file, "<polyline class=\"c\" style=\"%s\" "
                    "points=\"", style);
            open = 1;
        }

        fprintf(svg->file, "%.1f,%.1f ", svg_x(svg, i + 0.5),
                svg_y(top, y / highest));
    }

    if (open) {
        fprintf(svg->file, "\"/>\n");
    }
}


static void
svg_key(const svg_t *svg, unsigned i, unsigned top, const char *style,
    const char *name)
{
    unsigned  x, y;

    x = SVG_LEFT + i % 6 * 150;
    y = top + 30 + i / 6 * 13;

    fprintf(svg->file, "<line class=\"c\" style=\"%s\" x1=\"%u\" x2=\"%u\" "
            "y1=\"%u\" y2=\"%u\"/><text x=\"%u\" y=\"%u\">%s</text>\n",
            style, x, x + 22, y, y, x + 27, y + 4, name);
}


static void
svg_axes(const svg_t *svg, double highest, unsigned top)
{
    char      text[SIM_TIME_TEXT];
    double    y;
    unsigned  i, at;

    for (i = 0; i <= 4; i++) {
        y = svg_y(top, i / 4.0);
        fprintf(svg->file, "<line class=\"g\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
                "y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%.*f</text>\n", SVG_LEFT,
                SVG_W - SVG_RIGHT, y, y, SVG_LEFT - 6, y + 4,
                (highest < 20) ? 1 : 0, highest * i / 4);
    }

    for (i = 0; i < SVG_TIMES && svg->n != 0; i++) {
        at = svg->n * i / SVG_TIMES;
        fprintf(svg->file, "<text x=\"%.1f\" y=\"%u\">%s</text>\n",
                svg_x(svg, at), top + SVG_PANEL_H - SVG_BOTTOM + 20,
                sim_clock_text(text, svg->replay->base_ms
                                     + svg->rows[at].at_s * 1000,
                               svg->replay->sums->zone_s));
    }

    for (i = 0; i < svg->n; i++) {
        if (svg_gap(svg, i)) {
            fprintf(svg->file, "<line class=\"b\" x1=\"%.1f\" x2=\"%.1f\" "
                    "y1=\"%u\" y2=\"%u\"/>\n", svg_x(svg, i), svg_x(svg, i),
                    top + SVG_TOP, top + SVG_PANEL_H - SVG_BOTTOM);
        }
    }
}


/* A strip below the panel; "up" has none. */

static void
svg_phases(const svg_t *svg, unsigned top)
{
    unsigned  i, k;

    static const struct {
        const char  *phase;
        const char  *colour;
    } strips[] = {
        { "down", "#b2182b" }, { "probing", "#ef8a62" },
        { "ramping", "#fdd49e" }, { "verifying", "#a6d96a" },
        { "degraded", "#c994c7" }
    };

    for (i = 0; i < svg->n; i++) {

        for (k = 0; k < sizeof(strips) / sizeof(strips[0]); k++) {

            if (strcmp(strips[k].phase, svg->rows[i].phase) == 0) {
                fprintf(svg->file, "<rect x=\"%.1f\" width=\"%.2f\" y=\"%u\" "
                        "height=\"%d\" fill=\"%s\"><title>%s</title></rect>\n",
                        svg_x(svg, i), svg_x(svg, 1) - svg_x(svg, 0) + 0.1,
                        top + SVG_PANEL_H - SVG_BOTTOM + 2, SVG_PHASE_H,
                        strips[k].colour, strips[k].phase);
            }
        }
    }
}


static void
svg_above(const svg_t *svg)
{
    double    highest;
    unsigned  i;

    highest = 1;

    for (i = 0; i < svg->n; i++) {
        highest = fmax(highest, svg_wanted(&svg->rows[i], 0));
    }

    fprintf(svg->file, "<text x=\"%d\" y=\"16\" class=\"h\">policy %s, law "
            "%s: requests a second</text>\n", SVG_LEFT,
            svg->replay->conf->policy->name, svg->replay->conf->law->name);

    svg_axes(svg, highest * 1.2, 0);
    svg_phases(svg, 0);

    for (i = 0; i < SVG_CURVES; i++) {
        svg_key(svg, i, 0, svg_curves[i].style, svg_curves[i].name);
        svg_curve(svg, svg_curves[i].value, 0, highest * 1.2, 0,
                  svg_curves[i].style);
    }
}


static void
svg_below(const svg_t *svg)
{
    char                 style[64];
    double               highest;
    unsigned             i, k;
    const rcv_policy_t  *policy;

    policy = svg->replay->conf->policy;
    highest = 1;

    for (i = 0; i < svg->n; i++) {
        for (k = 0; k < policy->nclasses; k++) {
            highest = fmax(highest, svg_shed(&svg->rows[i], k));
        }
    }

    fprintf(svg->file, "<text x=\"%d\" y=\"%d\" class=\"h\">shed a second, "
            "by class</text>\n", SVG_LEFT, SVG_PANEL_H + 16);

    svg_axes(svg, highest, SVG_PANEL_H);

    for (k = 0; k < policy->nclasses; k++) {
        snprintf(style, sizeof(style), "stroke:%s",
                 svg_colours[k % SVG_COLOURS]);
        svg_key(svg, k, SVG_PANEL_H, style, policy->classes[k].name);
        svg_curve(svg, svg_shed, k, highest, SVG_PANEL_H, style);
    }
}


int
sim_replay_svg(const sim_replay_t *replay, const char *path)
{
    svg_t     svg;
    unsigned  i;

    svg.replay = replay;
    svg.file = fopen(path, "w");
    svg.n = 0;

    if (svg.file == NULL) {
        return -1;
    }

    svg.step_s = sim_rows_step(&replay->rows, SVG_COLUMNS);
    svg.rows = sim_alloc((replay->rows.n + 1) * sizeof(sim_row_t));

    for (i = 0; sim_rows_next(&replay->rows, svg.step_s, &i,
                              &svg.rows[svg.n]);
         svg.n++)
    {
        /* void */
    }

    fprintf(svg.file, "<svg xmlns=\"http://www.w3.org/2000/svg\" "
            "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
            "font-size=\"11\">\n"
            "<style>.c{fill:none;stroke-width:1.3}.g{stroke:#eee}"
            ".b{stroke:#999;stroke-dasharray:1 3}"
            ".h{font-size:13px;font-weight:bold}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            SVG_W, 2 * SVG_PANEL_H);

    svg_above(&svg);
    svg_below(&svg);

    fprintf(svg.file, "</svg>\n");
    free(svg.rows);

    return fclose(svg.file);
}
