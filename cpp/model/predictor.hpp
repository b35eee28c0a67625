// A net's way forward alone, for predictions and evaluations: nothing of a pass is kept.
//
//   few rows   one step after the other; weights are read once, from where they are; threads divide the columns
//   many rows  weights are copied into panels; blocks of rows run through all steps while they are in cache; threads
//              divide the rows
//
// Either way the bits are those of the layers one after the other: each element of a product is one chain over the inner
// index, and all else looks at one element, or one row, at a time.
#pragma once

#include <vector>

#include "model/forward_steps.hpp"
#include "model/front_steps.hpp"
#include "runtime/memory.hpp"
#include "runtime/shares.hpp"

namespace chainrule::model {

// Samples in the user's memory: rows of numbers side by side, `apart` numbers from one row to the next.
struct Rows {
    const void* data;
    Number numbers;
    Index count, apart;
};

// A net: steps on rows in front, then the others, of which there is at least one.
template <class T> struct Net {
    FrontSteps<T> front;
    ForwardSteps<T> steps;
    Index n_inputs() const { return front.empty() ? steps.front().n_inputs : front.front().n_inputs(); }
    Index n_outputs() const { return steps.back().n_outputs; }
    double flops() const {
        double flops = flops_of(steps);
        for (const FrontStep<T>& step : front) flops += step.flops();
        return flops;
    }
};

// Whether so many rows are not worth a copy of the weights.
template <class T> bool is_few(const ForwardSteps<T>& steps, Index rows);

// output (rows, n_outputs), row-major. False where a value is no code of its table.
template <class T> bool predict_few(const Net<T>& net, const Rows& rows, T* output);

// What an evaluation wants of each row's output.
template <class T> struct Measures {
    Loss loss;
    const double* parameters;     // of the loss
    Metric metric;
    double precision;             // of the regression metric
    Index target_columns;
    const void* targets;          // (rows, target_columns) of any numbers, row-major; or
    Number target_numbers;
    const std::int64_t* labels;   // (rows)
    T* sample_losses;             // (rows)
    T* hits;                      // (rows): the share of right outputs
};

// The net with its weights as they were when it was made; any number of threads may use it at once.
template <class T> class PackedNet {
  public:
    explicit PackedNet(const Net<T>& net);

    // output (rows, n_outputs), row-major. Both are false where a value is no code of its table.
    bool predict(const Rows& rows, T* output) const;
    bool evaluate(const Rows& rows, const Measures<T>& measures) const;

    Index n_inputs() const { return front_.empty() ? steps_.front().n_inputs : front_.front().n_inputs(); }
    Index n_outputs() const { return steps_.back().n_outputs; }
    double flops() const { return flops_; }

  private:
    struct Step : ForwardStep<T> {
        T* packed = nullptr;  // of a product: panels, row 0 of each the biases; factors and shares, to whole vectors
        Index panel = 0;      // elements of a panel
        bool streams = false; // leaves L2 between two uses: fetched ahead
    };

    void pack(const Step& step, runtime::Worker worker) const;
    Index panel_elements() const { return panels_ * panel_stride_; }
    template <class Body> bool for_blocks(Index rows, const Body& body) const;
    bool gather(const Rows& rows, Index first, Index count, const Grid<T>& values, T* rooms) const;
    // Elements of the rooms for rows on their way through the steps in front.
    Index front_elements() const { return front_.empty() ? 0 : 2 * rows_each_ * front_width(front_) + front_scratch(front_); }
    bool forward(const Rows& rows, Index first, Index count, T* output, T* scratch) const;
    void share_panels(const Step& step, Index rows, const Grid<T>& from, const Grid<T>& to) const;
    void product(const Step& step, Index rows, const Grid<const T>& from, const Grid<T>& sums, const Grid<T>& output, bool padded) const;
    void finish_panels(const Step& step, Index rows, const Grid<T>& values, T* scratch) const;
    void finish_rows(const Step& step, Index rows, T* values, T* scratch) const;
    void measure(const Measures<T>& measures, Index first, Index rows, T* output, T* scratch) const;

    FrontSteps<T> front_;
    std::vector<T> front_arrays_;  // copies of theirs
    std::vector<Step> steps_;
    std::size_t last_product_ = 0;
    runtime::Arena arena_;
    Index rows_each_ = 0;               // of a block
    Index panels_ = 0;                  // of the widest values
    Index panel_stride_ = 0;            // elements from one panel of values to the next
    double flops_ = 0;
};

}  // namespace chainrule::model
