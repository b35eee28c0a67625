#include "model/predictor.hpp"

#include <algorithm>

#include "model/grids.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/team.hpp"

// Few rows: one step after the other, weights where they are.

namespace chainrule::model {
namespace {

using runtime::FloatingPointState;
using runtime::Range;
using runtime::Subnormals;
using runtime::Worker;

// Fewer rows cost less with weights read in place; of weights whose rows lie a page apart, where a second tile of samples would
// miss the cache again, one tile (chosen on `small`, `tabular` and 1024-1024-1024-10).
constexpr Index few_rows = 24, page_bytes = 4096;
// Bytes of weights that are walked over at a time, so that long rows lie on few pages; and the least rows of them (guess).
constexpr Index bytes_at_a_time = 64 * 1024, least_inner = 16;
// A smaller call does not ask for threads: flops.
constexpr double worth_asking = 2e5;

template <class T> class FewRows {
  public:
    FewRows(const Net<T>& net, const Rows& rows, T* output)
        : front_(net.front), steps_(net.steps), rows_(rows), output_(output),
          asks_(static_cast<double>(rows.count) * net.flops() >= worth_asking || runtime::team_is_forced()) {
        Index scratch = 0;
        for (const ForwardStep<T>& step : steps_) {
            width_ = std::max({width_, whole_vectors<T>(step.n_inputs), whole_vectors<T>(step.n_outputs)});
            if (step.by_rows()) scratch = std::max(scratch, step.n_outputs * lanes<T>);
        }
        const Index values = 2 * rows.count * width_ + scratch, room = rows.count * front_width(front_);
        buffers_ = runtime::scratch<T>(values + 2 * room + front_scratch(front_));
        room_ = buffers_ + values;
    }

    bool run() const {
        const FloatingPointState state(Subnormals::keep);
        Grid<const T> from = inputs();
        if (!front_.empty() && !through_front(from)) return false;
        for (std::size_t s = 0; s < steps_.size(); ++s) {
            const ForwardStep<T>& step = steps_[s];
            const Grid<T> to = s + 1 == steps_.size() ? rows_of(output_, step.n_outputs) : buffer(static_cast<Index>(s % 2));
            in_team(static_cast<double>(rows_.count) * step.flops(), [&](Worker worker) {
                const Range mine = runtime::share(step.n_outputs, 2 * lanes<T>, worker);
                if (mine.first < mine.last) some_columns(step, from, to, mine);
            });
            if (step.by_rows())
                kernel_.activations[step.activation].forward_rows(rows_.count, step.n_outputs, step.map == Map::none ? from : constant(to), to, buffer(2).data, false, false);
            from = constant(to);
        }
        return true;
    }

  private:
    // Steps write to buffers 0 and 1 in turn; 2 is what softmax needs.
    Grid<T> buffer(Index which) const { return rows_of(buffers_ + which * rows_.count * width_, width_); }

    Grid<const T> inputs() const {
        const Index columns = front_.empty() ? steps_.front().n_inputs : front_.front().n_inputs();
        if (rows_.numbers == number_of<T>) return {static_cast<const T*>(rows_.data), rows_.apart, lanes<T>};
        const Grid<T> converted = front_.empty() ? buffer(1) : rows_of(room_, front_width(front_));
        kernel_.gather({rows_.count, columns, rows_.data, rows_.numbers, rows_.apart, nullptr, 0, converted});
        return constant(converted);
    }

    // From the first room, where they are converted, to the other one and back.
    bool through_front(Grid<const T>& values) const {
        const Index room = rows_.count * front_width(front_);
        return front_rows(front_, rows_.count, values, room_ + room, room_, room_ + 2 * room);
    }

    template <class Body> void in_team(double flops, const Body& body) const {
        if (!asks_) return body(Worker{});
        runtime::run_call(flops, [&](Worker worker) {
            const FloatingPointState state(Subnormals::keep);
            body(worker);
        });
    }

    void some_columns(const ForwardStep<T>& step, const Grid<const T>& from, const Grid<T>& to, const Range& mine) const {
        const Index vector = mine.first / lanes<T>, width = mine.last - mine.first;
        const Grid<T> out = offset(to, 0, vector);
        Grid<const T> values = constant(out);
        if (step.map == Map::shares) return shares(step, offset(from, 0, vector), out, mine);
        if (step.map == Map::product) product(step, from, out, mine);
        else if (step.map == Map::none) values = offset(from, 0, vector);
        else
            for (Index r = 0; r < rows_.count; ++r) kernel_.multiply(width, offset(from, r, vector).data, step.weights + mine.first, offset(out, r, 0).data);
        if (step.by_elements())
            for (Index r = 0; r < rows_.count; ++r)
                kernel_.activations[step.activation].forward(width, step.parameters, offset(values, r, 0).data, offset(out, r, 0).data);
    }

    void shares(const ForwardStep<T>& step, const Grid<const T>& from, const Grid<T>& out, const Range& mine) const {
        for (Index r = 0; r < rows_.count; ++r) {
            ParametricJob<T> job = {};
            job.rows = 1;
            job.columns = mine.last - mine.first;
            job.inputs = offset(from, r, 0).data;
            job.activated = job.output = offset(out, r, 0).data;
            job.shares = step.weights + mine.first;
            kernel_.activations[step.activation].forward(job.columns, step.parameters, job.inputs, job.output);
            kernel_.parametric_forward(job);
        }
    }

    void product(const ForwardStep<T>& step, const Grid<const T>& from, const Grid<T>& out, const Range& mine) const {
        const Index d = step.n_inputs, m = step.n_outputs, width = mine.last - mine.first;
        const Index inner = std::max(bytes_at_a_time / (m * static_cast<Index>(sizeof(T))) / lanes<T> * lanes<T>, least_inner);
        for (Index first = 0; first < d; first += inner) {
            const Index count = std::min(d - first, inner);
            const Grid<const T> start = first > 0 ? constant(out) : Grid<const T>{step.biases ? step.biases + mine.first : nullptr, 0, lanes<T>};
            Product<T> job = {rows_.count, count, width, offset(from, 0, first / lanes<T>), rows_of(step.weights + first * m + mine.first, m), start, out, false, false};
            if (first + count == d) set_activation(job, step);
            kernel_.product(job);
        }
    }

    const Kernels<T>& kernel_ = runtime::kernels<T>();
    const FrontSteps<T>& front_;
    const ForwardSteps<T>& steps_;
    const Rows rows_;
    T* const output_;
    const bool asks_;
    Index width_ = 0;
    T *buffers_ = nullptr, *room_ = nullptr;
};

}  // namespace

template <class T> bool is_few(const ForwardSteps<T>& steps, Index rows) {
    const auto long_rows = [](const ForwardStep<T>& step) { return step.map == Map::product && step.n_outputs * static_cast<Index>(sizeof(T)) >= page_bytes; };
    const bool any_long = std::any_of(steps.begin(), steps.end(), long_rows);
    return rows < few_rows && !(any_long && rows > runtime::kernels<T>().product_rows);
}

template <class T> bool predict_few(const Net<T>& net, const Rows& rows, T* output) { return FewRows<T>(net, rows, output).run(); }

#define CHAINRULE_INSTANTIATE(T)                           \
    template bool is_few(const ForwardSteps<T>&, Index);   \
    template bool predict_few(const Net<T>&, const Rows&, T*);
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model
