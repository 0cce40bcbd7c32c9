
/*
 * Words that people write - in the configuration and in Redis - to numbers.
 *
 * Every function reads the whole word: trailing bytes are an error, so are
 * an empty word, a sign, and a value that does not fit.  They return 0 and
 * set *out, or return -1 and leave *out alone.  No locale, no allocation.
 * Decimals finer than the unit are read and do not count.
 */

#ifndef RCV_WORDS_H_INCLUDED_
#define RCV_WORDS_H_INCLUDED_


#include "rcv.h"


/* "500r/s", "0.5r/s", "30r/m" -> thousandths per second, 1 to RATE_MAX. */
int rcv_parse_rate(rcv_str_t word, uint64_t *rate_milli);

/* "40%", "0.5%" -> ppm, 0 to max_ppm (1000000 is 100 %). */
int rcv_parse_percent(rcv_str_t word, uint64_t max_ppm, uint32_t *ppm);

/* "200ms", "30s", "5m", "1h", "1d", "30" (seconds) -> ms, up to 30 days. */
int rcv_parse_duration(rcv_str_t word, uint64_t *ms);

/* "2", "0.25" -> thousandths, up to max_milli. */
int rcv_parse_decimal(rcv_str_t word, uint64_t max_milli, uint64_t *milli);

/* "0" .. "18446744073709551615". */
int rcv_parse_integer(rcv_str_t word, uint64_t *n);

/*
 * A name of a backend, policy or class: 1 to RCV_NAME_MAX bytes of letters,
 * digits, "_", "-" and ".", starting with a letter or a digit.
 */
int rcv_name_valid(rcv_str_t word);


#endif /* RCV_WORDS_H_INCLUDED_ */
