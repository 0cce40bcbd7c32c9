
/*
 * The only door to memory that several processes write.  Named orders, and
 * nothing that could fall back to a lock: a lock held by a killed process
 * would stop every other one.
 */

#ifndef RCV_ATOMIC_H_INCLUDED_
#define RCV_ATOMIC_H_INCLUDED_


#include <stdint.h>


_Static_assert(__atomic_always_lock_free(sizeof(uint64_t), 0),
               "64-bit atomics must be lock-free");
_Static_assert(__atomic_always_lock_free(sizeof(uint32_t), 0),
               "32-bit atomics must be lock-free");


#define rcv_load(p)           __atomic_load_n(p, __ATOMIC_RELAXED)
#define rcv_load_acquire(p)   __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define rcv_store(p, v)       __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define rcv_store_release(p, v)                                               \
    __atomic_store_n(p, v, __ATOMIC_RELEASE)

/* Counters: nobody orders anything by them. */
#define rcv_add(p, v)         ((void) __atomic_fetch_add(p, v,                \
                                                         __ATOMIC_RELAXED))

#define rcv_fetch_add(p, v)   __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL)
#define rcv_fetch_sub(p, v)   __atomic_fetch_sub(p, v, __ATOMIC_ACQ_REL)

/* On failure *expected holds what is there now. */
#define rcv_cas(p, expected, v)                                               \
    __atomic_compare_exchange_n(p, expected, v, 0, __ATOMIC_ACQ_REL,          \
                                __ATOMIC_ACQUIRE)


#endif /* RCV_ATOMIC_H_INCLUDED_ */
