// A plan: a network with its engine, and all steps of all epochs over samples, in stretches.
//
// A plan is made once for a structure, and begins as often as there is something to train: with other samples, parameters
// and counts, in the same memory. A stretch is one run of whole steps, ended by a number of steps, by the clock, by the end of the training or by a
// loss that is not finite. Between stretches Python has its say; the plan's memory lives on.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/engine.hpp"

namespace chainrule::model {

using runtime::Clock;

// Samples in the user's arrays, borrowed for the length of a call.
struct Samples {
    Index count = 0;
    const void* inputs = nullptr;
    Number input_numbers = Number::float32;
    const void* targets = nullptr;
    Number target_numbers = Number::float32;
    const std::int64_t* labels = nullptr;
    const double* weights = nullptr;
};

// What Python may change between stretches.
struct Schedule {
    double learning_rate = 0, decay = 0, weight_decay = 0;
    double clip_norm = 0;  // 0: none
    std::vector<double> parameters;  // of the rule
    std::int64_t iterations = 0;
};

// Factors of the coming steps, those of a stretch from its first on, as somebody's schedules gave them. Null: 1 everywhere.
struct Factors {
    Index steps = 0;  // that they reach; a stretch ends there
    const double *rate = nullptr, *weight_decay = nullptr;
    const double* dropped = nullptr;  // (steps, 1 + number of stages), of the dropped shares: the inputs', then the stages'
    bool any() const { return rate || weight_decay || dropped; }
};

enum class Nonfinite { stop, ignore };

// What a plan is to do when it begins.
struct Work {
    Samples samples, validation;
    std::int64_t epochs = 1;
    Nonfinite nonfinite = Nonfinite::stop;
    bool drops_last = false;  // an epoch leaves out the samples behind its last whole batch
};

// What the epochs finished since they were last taken reported, column by column. A column is used only where its values
// differ from epoch to epoch: a million tiny epochs a second would spend their time writing it down.
struct Epochs {
    std::size_t count = 0;
    std::vector<double> data_loss, seconds;
    std::vector<double> regularization_loss;  // 0 without regularisation
    std::vector<double> accuracy;             // not computed without a metric
    std::vector<double> rate;                 // that of the last step without decay
    std::vector<double> validation_loss, validation_accuracy;
};
struct StepRow {
    double accuracy, data_loss, regularization_loss, rate;
};

// Sums over batches; the accumulators of the notebooks.
struct Sums {
    double loss = 0, weight = 0, hits = 0, rows = 0;
    void add(const Sums& other) {
        loss += other.loss;
        weight += other.weight;
        hits += other.hits;
        rows += other.rows;
    }
    double mean_loss() const { return loss / weight; }
    double accuracy() const { return hits / rows; }
};

class PlanBase {
  public:
    virtual ~PlanBase() = default;
    // Runs until `max_steps` are done or `seconds` have gone by; returns the steps done. `order`, if not null, is the
    // order of the samples in the epoch in progress: the stretch then ends with the epoch. Batches whose weights sum to 0 are
    // passed over: they count as steps done, but take none.
    virtual std::int64_t run(std::int64_t max_steps, double seconds, const std::int64_t* order, const Factors& factors) = 0;
    virtual std::size_t bytes() const = 0;
    // Forgets the samples before, and where it stood.
    virtual void begin(const Work& work) = 0;
    // Where the training stands now; steps and forwards are counted from here.
    virtual void set_counts(const Counts& counts) = 0;

    bool done() const { return stopped_ || epoch_ > epochs_; }
    void stop() { stopped_ = true; }

    Schedule schedule = {};
    std::int64_t epoch() const { return epoch_; }
    std::int64_t step() const { return step_; }
    bool nonfinite() const { return nonfinite_; }
    // Its regularisation loss is NaN where nobody asked for it: it is known of the last step of an epoch or of a stretch.
    StepRow last_step() const { return last_step_; }
    std::uint64_t steps_taken() const { return steps_taken_; }
    // Training forwards of whole steps.
    std::uint64_t forwards() const { return forwards_of_steps_; }
    // To be taken before the schedule changes; `forget_epochs` keeps the memory for the next ones.
    const Epochs& epochs() const { return finished_; }
    void forget_epochs();

  protected:
    std::int64_t epochs_ = 0, epoch_ = 1, step_ = 0;  // batch of the epoch in progress, from 0
    std::uint64_t steps_taken_ = 0;  // updates made since the counts were set
    std::uint64_t forwards_ = 0, forwards_of_steps_ = 0;
    bool stopped_ = false, nonfinite_ = false;
    StepRow last_step_ = {};
    Epochs finished_;
    std::size_t finished_capacity_ = 0;
};

template <class T> class Plan final : public PlanBase {
  public:
    Plan(const Network& network, EngineKind engine);

    void begin(const Work& work) override;
    void set_counts(const Counts& counts) override;
    std::int64_t run(std::int64_t max_steps, double seconds, const std::int64_t* order, const Factors& factors) override;
    std::size_t bytes() const override { return engine_->bytes(); }
    void load(const NetworkArrays<T>& arrays) {
        engine_->load(arrays);
        inputs_in_place_ = false;
    }
    void store(const NetworkArrays<T>& arrays) const { engine_->store(arrays); }
    // One forward and back over the first batch: returns its loss, penalties included, and gives the gradients of that away.
    // Needs a network that keeps gradients. `dropped`: as in Factors, of this step.
    double gradients(const NetworkArrays<T>& gradients, const double* dropped);

  private:
    struct Stretch;
    bool waits_for_team() const;
    void run_crew(Stretch& stretch, int threads);
    void work_in_team(Stretch& stretch, runtime::Worker worker);
    void work(Stretch& stretch, runtime::Worker worker);
    bool one_step(Stretch& stretch, runtime::Worker worker);
    void finish_batch(Stretch& stretch, const Sums& sums, bool knows_penalty, bool makes_step);
    void pass_over(Stretch& stretch);
    void count_step(Stretch& stretch);
    void read_clock(Stretch& stretch);
    void spread_seconds(Clock::time_point now);
    void finish_epoch(Stretch& stretch, runtime::Worker worker);
    void reserve_finished();
    Batch batch(const Samples& samples, Index step, const std::int64_t* order, bool training) const;
    Sums sums_of(const Batch& batch) const;
    double penalty_factor(const Batch& batch) const { return net_.batch_objective ? 1 / batch.total_weight() : 1; }
    void prepare_rules(const Stretch& stretch);
    void prepare_rule(const Parameter& parameter, std::int64_t steps, double decay, UpdateRule& result) const;
    bool all_alike() const;
    Index steps_per_epoch() const { return (work_.samples.count + (work_.drops_last ? 0 : net_.batch_size - 1)) / net_.batch_size; }
    // The place of the batch in progress among those of its step.
    Turn turn(const Batch& batch) const {
        const std::int64_t place = step_ % net_.accumulate;
        return {place == 0, place + 1 == net_.accumulate || step_ + 1 == static_cast<std::int64_t>(steps_per_epoch()), penalty_factor(batch)};
    }

    const Network net_;
    std::unique_ptr<Engine<T>> engine_;
    Work work_;
    Counts counts_;
    int epsilon_ = -1;  // its place among the rule's parameters
    StepRules rules_[2];  // of this step and of the next one: worker 0 is ahead of the others
    double rate_ = 0;     // of the step that comes next, without a parameter's factor
    bool alike_ = false, rate_changes_ = false, rules_stay_ = false;
    bool inputs_in_place_ = false;  // the engine holds the only batch there is
    bool has_accuracy_;
    bool regularized_ = false;
    Sums epoch_sums_;
    double epoch_penalty_ = 0;  // of its batches, times their samples; for a batch's objective
    double epoch_seconds_ = 0;  // of the epoch in progress, up to last_clock_
    Clock::time_point last_clock_ = {};
    std::uint64_t steps_at_clock_ = 0, steps_passed_ = 0;  // passed: taken or passed over
    double alone_each_ = 0;  // seconds a step of one thread; 0: not known yet
    runtime::TeamTrials trials_;
    std::size_t unclocked_epochs_ = 0;  // of finished_, not yet given their seconds
};

}  // namespace chainrule::model
