// An engine: a schedule of kernels that carries out the steps of a network. Which one runs is a function of the shapes alone
// (`choose_engine`), so the bits are the same on every machine and for any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/network.hpp"
#include "runtime/team.hpp"

namespace chainrule::model {

enum class EngineKind { automatic, nano, panels };
EngineKind engine_kind(const std::string& name);  // throws std::invalid_argument
const char* engine_name(EngineKind kind);

// A pure function of the shapes: batch, widths, activations and element size.
EngineKind choose_engine(const Network& network, Index lanes);
// The one that is wanted, where it is named and can do it.
EngineKind engine_of(const Network& network, EngineKind wanted, Index lanes);

// A parameter in the user's array, row-major, and the rule's arrays beside it, in the rule's order. Null where not present.
template <class T> struct ParameterArrays {
    T* values = nullptr;
    T* states[most_states] = {};
};
template <class T> struct StageArrays {
    ParameterArrays<T> weights, biases, shares;
};
template <class T> struct NetworkArrays {
    std::vector<ParameterArrays<T>> features;
    ParameterArrays<T> scale;
    std::vector<StageArrays<T>> stages;
    NetworkArrays() = default;
    explicit NetworkArrays(const Network& network) : features(network.of_features.size()), stages(network.stages.size()) {}
};

// What each parameter's step is, this time.
struct StageRules {
    UpdateRule weights, biases, shares;
};
struct StepRules {
    std::vector<UpdateRule> features;
    UpdateRule scale;
    std::vector<StageRules> stages;
    bool same_for_all = false;  // the first stage's weights speak for all weights and biases
    const UpdateRule& weights(std::size_t stage) const { return stages[same_for_all ? 0 : stage].weights; }
    const UpdateRule& biases(std::size_t stage) const { return same_for_all ? stages[0].weights : stages[stage].biases; }
};

// Samples of one step, still in the user's arrays.
struct Batch {
    Index rows;
    Index first;                 // place of the first sample, in `order` where there is one
    const std::int64_t* order;
    Index next_rows;             // samples of the batch that comes next, where they are worth fetching ahead
    Index next_first;            // place of the first of them
    const void* inputs;          // row-major (n, d)
    Number input_numbers;
    const void* targets;         // row-major (n, m), or null
    Number target_numbers;
    const std::int64_t* labels;  // (n), or null
    const double* weights;       // (n), or null
    bool training;               // dropout acts, gradients are computed
    bool same_as_before;         // the inputs and targets are those of the previous call
    bool noted;                  // which units give 0 for every sample is noted; in networks with room for it
    Index step_first, step_rows;  // the samples of its step: its own, or those of all batches that make one
    Index position = 0;           // of its first sample among those that are dropped out together; not 0 in a part of a batch
    double step_weight = 0;       // of all samples of its step, where somebody knows it who has them all
    const Stream* streams;       // of the masks
    std::uint64_t forwards;      // done since the streams were counted
    double precision;            // of the regression metric
    const double* drop_factors;  // of the dropped shares in this step: inputs, then the stages; null: as they are

    // Which of the user's rows is sample r of the batch.
    Index place(Index r) const { return order ? static_cast<Index>(order[first + r]) : first + r; }
    // Of all samples of the step.
    double total_weight() const {
        if (step_weight > 0) return step_weight;
        if (!weights) return static_cast<double>(step_rows);
        double total = 0;
        for (Index r = 0; r < step_rows; ++r) total += weights[place(step_first - first + r)];
        return total;
    }
    // The kept share of a dropout in this step; `layer` 0 is the inputs', s + 1 that of stage s.
    double keep(const Dropout& dropout, std::size_t layer) const {
        return drop_factors ? 1 - (1 - dropout.keep) * drop_factors[layer] : dropout.keep;
    }
    // What the kept elements are multiplied with.
    template <class T> T factor(const Dropout& dropout, std::size_t layer) const { return static_cast<T>(1.0 / keep(dropout, layer)); }
};

// A batch's place among those of its step. With the last one the penalties' part joins the gradients, times a factor.
struct InStep {
    bool first, last;
    double penalty_factor;
};

// Where a pass of an observed network writes what it computes, row-major, for the whole batch. Null: not wanted.
template <class T> struct StageSeen {
    T *product = nullptr, *output = nullptr, *dropped = nullptr;     // of the dense layer, its activation, its dropout
    T *dproduct = nullptr, *doutput = nullptr, *ddropped = nullptr;  // their gradients
};
template <class T> struct Seen {
    T *inputs = nullptr, *dinputs = nullptr;  // of the first stage
    std::vector<StageSeen<T>> stages;
};

// What is noted of a step: sums of squares of gradients, steps and, before the step, parameters; of the factors of columns,
// which have weights alone, or of a stage. Units are dead whose output was 0 for all samples of the step.
struct Squares {
    double weights = 0, biases = 0;
};
struct Notes {
    Squares gradient, step, parameters;
    Index dead = 0;  // counted where the activation's derivative is 0 with its output
};

inline void scale_penalties(UpdateRule& rule, double factor) {
    rule.l1 *= factor;
    rule.l2 *= factor;
}

template <class T> class Engine {
  public:
    virtual ~Engine() = default;

    virtual void load(const NetworkArrays<T>& arrays) = 0;
    virtual void store(const NetworkArrays<T>& arrays) const = 0;

    // Forward, loss and, in training, backward. Called by every worker of a team; when all have come to the barrier
    // inside, sample_losses and hits are complete.
    virtual void pass(const Batch& batch, runtime::Worker worker, runtime::Barrier& barrier) = 0;

    // What becomes of the gradients of the last pass. Either each is spent as soon as it is finished, by the optimizer's step;
    // or, where the network keeps gradients, all are kept, added to those of the batches before in this step, and spent or
    // given away when the step has all. The caller keeps the team together after each.
    virtual void update(const StepRules& rules, double penalty_factor, Index rows, runtime::Worker worker) = 0;
    virtual void keep(Index rows, InStep place, runtime::Worker worker) = 0;
    // Scaled first where their norm is larger than clip_norm; 0: never. What is noted is there when all are done: see `notes`.
    virtual void spend(const StepRules& rules, double clip_norm, bool noted, runtime::Worker worker, runtime::Barrier& barrier) = 0;
    virtual void give(const NetworkArrays<T>& gradients, runtime::Worker worker) = 0;
    // Puts gradients in the place of those that were kept, and adds the penalties' part: what `spend` takes, which looks at
    // their norm only where `clips` says so.
    virtual void take(const NetworkArrays<T>& gradients, bool clips, runtime::Worker worker) = 0;

    // Of the last step that was noted: first the factors of columns, then the stages.
    virtual void notes(std::vector<Notes>& found) const = 0;
    // The passes to come write there what they compute, until it is null.
    void watch(const Seen<T>* seen) { seen_ = seen; }
    // Keeps a copy of the parameters as they are, in memory that reserve_best has made; and stores it.
    virtual void reserve_best() = 0;
    virtual void keep_best() = 0;
    virtual void store_best(const NetworkArrays<T>& arrays) = 0;

    // Regularisation loss of the parameters as they are.
    virtual double penalty() const = 0;

    // Makes room for a team of up to `workers`; before the team starts, so that nothing in it can fail.
    virtual void reserve(int workers) = 0;

    virtual std::size_t bytes() const = 0;
    virtual bool uses_threads() const = 0;

    const T* sample_losses() const { return sample_losses_; }
    const T* hits() const { return hits_; }

  protected:
    T* sample_losses_ = nullptr;
    T* hits_ = nullptr;
    const Seen<T>* seen_ = nullptr;
};

template <class T> std::unique_ptr<Engine<T>> make_nano_engine(const Network& network);
template <class T> std::unique_ptr<Engine<T>> make_panels_engine(const Network& network);

}  // namespace chainrule::model
