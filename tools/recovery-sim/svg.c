
/*
 * One panel a scenario: what users wanted and got, what the backend was
 * offered and could do, second by second.
 */

#include <math.h>
#include <stddef.h>

#include "report.h"


#define PANEL_W   960
#define PANEL_H   260
#define LEFT      60
#define RIGHT     20
#define TOP       40
#define BOTTOM    30

/* What is offered may be far above the rest: it leaves the panel. */
#define HIGHEST_X  1.6


typedef struct {
    const char  *name;
    const char  *style;
    size_t       field;
    unsigned     oracle;
} curve_t;


static const curve_t  curves[] = {
    { "backend could do", "stroke:#999;stroke-dasharray:6 3",
      offsetof(sim_second_t, capacity), 0 },
    { "demand", "stroke:#bbb", offsetof(sim_second_t, demand), 0 },
    { "passed to backend", "stroke:#d95f02",
      offsetof(sim_second_t, passed), 0 },
    { "omniscient run served", "stroke:#1b9e77;stroke-dasharray:3 3",
      offsetof(sim_second_t, good), 1 },
    { "served", "stroke:#1b4f9e;stroke-width:2",
      offsetof(sim_second_t, good), 0 },
};

#define CURVES  (sizeof(curves) / sizeof(curves[0]))


static double
svg_value(const sim_case_t *one, const curve_t *curve, unsigned i)
{
    const sim_run_t  *run;

    run = curve->oracle ? &one->oracle : &one->run;

    return *(const double *) (const void *)
               ((const char *) &run->seconds[i] + curve->field);
}


static void
svg_curve(const sim_case_t *one, const curve_t *curve, double highest,
    unsigned top, FILE *file)
{
    double    x, y;
    unsigned  i, n;

    n = one->run.nseconds;

    fprintf(file, "<polyline class=\"c\" style=\"%s\" points=\"",
            curve->style);

    for (i = 0; i < n; i++) {
        x = LEFT + (PANEL_W - LEFT - RIGHT) * (i + 0.5) / n;
        y = fmin(svg_value(one, curve, i) / highest, 1.05);

        fprintf(file, "%.1f,%.1f ", x,
                top + PANEL_H - BOTTOM - (PANEL_H - TOP - BOTTOM) * y);
    }

    fprintf(file, "\"/>\n");
}


static void
svg_axes(const sim_case_t *one, double highest, unsigned top, FILE *file)
{
    double    x, y;
    unsigned  i, n;

    n = one->run.nseconds;

    for (i = 0; i <= 4; i++) {
        y = top + PANEL_H - BOTTOM - (PANEL_H - TOP - BOTTOM) * i / 4.0;
        fprintf(file, "<line class=\"g\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
                "y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%.0f</text>\n",
                LEFT, PANEL_W - RIGHT, y, y, LEFT - 6, y + 4,
                highest * i / 4);
    }

    for (i = 0; i <= n; i += 30) {
        x = LEFT + (PANEL_W - LEFT - RIGHT) * (double) i / n;
        fprintf(file, "<text x=\"%.1f\" y=\"%u\" text-anchor=\"middle\">%us"
                "</text>\n", x, top + PANEL_H - BOTTOM + 16, i);
    }
}


static void
svg_panel(const sim_case_t *one, unsigned top, FILE *file)
{
    double    highest;
    unsigned  i;

    highest = HIGHEST_X * sim_scenario_capacity(one->run.scenario);

    fprintf(file, "<text x=\"%d\" y=\"%u\" class=\"h\">%s: %s (law %s, "
            "goodput %.1f %%)</text>\n", LEFT, top + 16,
            one->run.scenario->name, one->run.scenario->what,
            one->run.law->name,
            100 * one->score.value[SIM_FIGURE_GOODPUT]);

    for (i = 0; i < CURVES; i++) {
        fprintf(file, "<line class=\"c\" style=\"%s\" x1=\"%u\" x2=\"%u\" "
                "y1=\"%u\" y2=\"%u\"/><text x=\"%u\" y=\"%u\">%s</text>\n",
                curves[i].style, LEFT + i * 175, LEFT + i * 175 + 22,
                top + 28, top + 28, LEFT + i * 175 + 27, top + 32,
                curves[i].name);
    }

    svg_axes(one, highest, top, file);

    for (i = 0; i < CURVES; i++) {
        svg_curve(one, &curves[i], highest, top, file);
    }
}


int
sim_svg(const sim_batch_t *batch, const char *path)
{
    FILE      *file;
    unsigned   i;

    file = fopen(path, "w");
    if (file == NULL) {
        return -1;
    }

    fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" "
            "viewBox=\"0 0 %d %u\" font-family=\"sans-serif\" "
            "font-size=\"11\">\n"
            "<style>.c{fill:none;stroke-width:1.3}.g{stroke:#eee}"
            ".h{font-size:13px;font-weight:bold}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            PANEL_W, PANEL_H * batch->nscenarios);

    for (i = 0; i < batch->nscenarios; i++) {
        svg_panel(sim_batch_case(batch, i, 0), i * PANEL_H, file);
    }

    fprintf(file, "</svg>\n");

    return fclose(file);
}
