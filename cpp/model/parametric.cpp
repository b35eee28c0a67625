#include "model/parametric.hpp"

#include <algorithm>

#include "model/chunks.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/memory.hpp"
#include "runtime/team.hpp"

// Rows are shared out forward, columns backward, so that each sum over samples is one worker's: a chain over a chunk of
// samples, then those of the chunks in order.

namespace chainrule::model {
namespace {

using runtime::Range;
using runtime::Worker;

double flops_of(Index samples, Index columns, double each) { return each * static_cast<double>(samples) * static_cast<double>(columns); }

}  // namespace

template <class T> void parametric_forward(Index samples, Index columns, const T* inputs, const T* activated, const T* shares, T* output) {
    runtime::run_call(flops_of(samples, columns, 4), [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::keep);
        const Range rows = runtime::share(samples, 1, worker);
        const Index first = rows.first * columns;
        ParametricJob<T> job = {};
        job.rows = rows.last - rows.first;
        job.columns = job.row = columns;
        job.inputs = inputs + first;
        job.activated = activated + first;
        job.shares = shares;
        job.output = output + first;
        runtime::kernels<T>().parametric_forward(job);
    });
}

template <class T>
void parametric_backward(Index samples, Index columns, const T* dvalues, const T* through, const T* inputs, const T* activated, const T* shares, T* dshares,
                         T* dinputs) {
    runtime::run_call(flops_of(samples, columns, 8), [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::keep);
        const Range part = runtime::share(columns, lanes<T>, worker);
        const Index width = part.last - part.first, chunks = std::max<Index>((samples + chunk_samples - 1) / chunk_samples, 1);
        if (width <= 0) return;
        Cascade<T> sums(runtime::scratch<T>(Cascade<T>::levels(chunks) * width), width);
        for_each_chunk(samples, [&](Index first, Index count, bool) {
            const Index at = first * columns + part.first;
            ParametricJob<T> job = {};
            job.rows = count;
            job.columns = width;
            job.row = columns;
            job.inputs = inputs + at;
            job.activated = activated + at;
            job.shares = shares + part.first;
            job.dvalues = dvalues + at;
            job.through = through + at;
            job.dinputs = dinputs + at;
            job.sums = sums.place();
            runtime::kernels<T>().parametric_backward(job);
            sums.add();
        });
        std::copy_n(sums.total(), width, dshares + part.first);
    });
}

#define CHAINRULE_INSTANTIATE(T)                                                                     \
    template void parametric_forward(Index, Index, const T*, const T*, const T*, T*);                \
    template void parametric_backward(Index, Index, const T*, const T*, const T*, const T*, const T*, T*, T*);
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model
