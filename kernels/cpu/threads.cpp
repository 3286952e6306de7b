#include "kernels/cpu/threads.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#include <sched.h>

namespace millrace::kernels::cpu {

void spreadThreads(int threads)
{
#ifdef _OPENMP
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (threads < 2 || sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) != threads) return;
#pragma omp parallel num_threads(threads)
    {
        int processor = 0, left = omp_get_thread_num();
        while (!CPU_ISSET(processor, &allowed) || left-- > 0) ++processor;
        cpu_set_t own;
        CPU_ZERO(&own);
        CPU_SET(processor, &own);
        // where that fails the system goes on choosing
        if (omp_get_thread_num() != 0) (void)sched_setaffinity(0, sizeof own, &own);
    }
#else
    (void)threads;
#endif
}

} // namespace millrace::kernels::cpu
