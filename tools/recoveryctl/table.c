
#include <stdlib.h>
#include <string.h>

#include "screen.h"


#define TABLE_GAP  2                    /* columns between two cells */


typedef struct {
    char                *text;
    ctl_style_t          style;
    unsigned             note;          /* all of a line */
} table_cell_t;


struct ctl_table_s {
    const ctl_column_t  *columns;
    size_t               ncolumns;
    table_cell_t        *cells;
    size_t               ncells;
    int                  blanks;        /* owed to the line being printed */
};


ctl_table_t *
ctl_table_new(const ctl_column_t *columns, size_t ncolumns)
{
    ctl_table_t  *table;

    table = calloc(1, sizeof(ctl_table_t));

    if (table != NULL) {
        table->columns = columns;
        table->ncolumns = ncolumns;
    }

    return table;
}


static void
table_add(ctl_table_t *table, unsigned note, ctl_style_t style, char *text)
{
    table_cell_t  *cells;

    cells = realloc(table->cells, (table->ncells + 1) * sizeof(table_cell_t));

    if (cells == NULL) {
        free(text);
        return;
    }

    table->cells = cells;
    cells += table->ncells++;

    cells->text = text;
    cells->style = style;
    cells->note = note;
}


void
ctl_cell(ctl_table_t *table, ctl_style_t style, const char *format, ...)
{
    va_list  args;

    if (table != NULL) {
        va_start(args, format);
        table_add(table, 0, style, ctl_clean(format, args));
        va_end(args);
    }
}


void
ctl_note(ctl_table_t *table, ctl_style_t style, const char *format, ...)
{
    va_list  args;

    if (table != NULL) {
        va_start(args, format);
        table_add(table, 1, style, ctl_clean(format, args));
        va_end(args);
    }
}


static void
table_widths(const ctl_table_t *table, size_t *widths)
{
    size_t  i, n, width;

    for (i = 0; i < table->ncolumns; i++) {
        widths[i] = ctl_width(table->columns[i].title);
    }

    for (i = 0, n = 0; i < table->ncells; i++) {

        if (table->cells[i].note || table->cells[i].text == NULL) {
            n += !table->cells[i].note;
            continue;
        }

        width = ctl_width(table->cells[i].text);

        if (width > widths[n % table->ncolumns]) {
            widths[n % table->ncolumns] = width;
        }

        n++;
    }
}


/* Blanks wait until something stands behind them: no line ends in one. */

static void
table_cell(const ctl_screen_t *screen, ctl_table_t *table, size_t n,
    size_t width, ctl_style_t style, const char *text)
{
    int  pad;

    pad = (int) (width - ctl_width(text));

    if (table->columns[n].right) {
        table->blanks += pad;
        pad = 0;
    }

    if (*text != '\0') {
        fprintf(screen->to, "%*s", table->blanks, "");
        ctl_print(screen, style, "%s", text);
        table->blanks = 0;
    }

    table->blanks += pad + TABLE_GAP;

    if (n + 1 == table->ncolumns) {
        fputc('\n', screen->to);
        table->blanks = 0;
    }
}


void
ctl_table_print(const ctl_screen_t *screen, ctl_table_t *table)
{
    size_t               i, n, *widths;
    const table_cell_t  *cell;

    widths = (table != NULL) ? calloc(table->ncolumns, sizeof(size_t)) : NULL;

    if (widths != NULL) {
        table_widths(table, widths);

        for (i = 0; i < table->ncolumns; i++) {
            table_cell(screen, table, i, widths[i], CTL_BOLD,
                       table->columns[i].title);
        }
    }

    for (i = 0, n = 0; widths != NULL && i < table->ncells; i++) {
        cell = &table->cells[i];

        if (cell->note) {
            ctl_print(screen, cell->style, "  %s",
                      cell->text ? cell->text : "");
            fputc('\n', screen->to);
            continue;
        }

        table_cell(screen, table, n, widths[n], cell->style,
                   cell->text ? cell->text : "");
        n = (n + 1) % table->ncolumns;
    }

    for (i = 0; table != NULL && i < table->ncells; i++) {
        free(table->cells[i].text);
    }

    free(widths);
    free(table != NULL ? table->cells : NULL);
    free(table);
}
