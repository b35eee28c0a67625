// A plan: a network with its engine, and all steps of all epochs over samples, in stretches.
//
// A plan is made once for a structure, and begins as often as there is something to train: with other samples, parameters
// and counts, in the same memory. A stretch is one run of whole steps, ended by a number of steps, by the clock, by the end of the training or by a
// loss that is not finite. Between stretches Python has its say; the plan's memory lives on. Who does the steps is the crew's
// matter (runtime/crew), what is reported of them the record's.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/engine.hpp"
#include "model/monitor.hpp"
#include "model/record.hpp"
#include "runtime/crew.hpp"

namespace chainrule::model {

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

// A part of a batch, whose gradient is computed by itself: what a rank has of it, or a shard.
struct Part {
    Index first = 0, rows = 0;     // in the order of the samples
    Index position = 0;            // of its first sample in the batch, for the masks of dropout
    Index step_rows = 0;           // of its step, whoever has them
    double step_weight = 0;        // of the same samples; their number without weights
    std::uint64_t forwards = 0;    // training forwards before this one, since the counts were set
    Index next_first = 0, next_rows = 0;  // the part that comes next
};

enum class Nonfinite { stop, ignore };

// What a plan is to do when it begins.
struct Work {
    Samples samples, validation;
    std::int64_t epochs = 1;
    Nonfinite nonfinite = Nonfinite::stop;
    bool drops_last = false;  // an epoch leaves out the samples behind its last whole batch
    bool in_parts = false;    // `samples` are of the right form only: an epoch's come in parts, by `next_samples`
    double precision = 0;     // of the regression metric
    std::int64_t notes_every = 0;  // so many steps one is noted, from the first on; 0: none
    std::int64_t steps_before = 0; // of the same training, in plans before this one
    std::vector<Monitor> monitors = {};  // at most one keeps parameters
};

// What was noted of steps since it was last taken: numbers of the steps, from 1, and a note for the factors of columns and
// each stage, row by row.
struct Noted {
    std::vector<std::int64_t> steps;
    std::vector<Notes> rows;
};

class PlanBase {
  public:
    virtual ~PlanBase() = default;
    // Runs until `max_steps` are done or `seconds` have gone by; returns the steps done. `order`, if not null, is the
    // order of the samples in the epoch in progress: the stretch then ends with the epoch. Batches whose weights sum to 0 are
    // passed over: they count as steps done, but take none. Only the clock ends a stretch between an epoch's last step and the
    // end of its validation; the next one goes on there, even with no steps to do.
    virtual std::int64_t run(std::int64_t max_steps, double seconds, const std::int64_t* order, const Factors& factors) = 0;
    virtual std::size_t bytes() const = 0;
    // Forgets the samples before, and how far it was.
    virtual void begin(const Work& work) = 0;
    // The next part of an epoch in parts, in whole steps of whole batches unless it is the last one.
    virtual void next_samples(const Samples& samples, bool last) = 0;
    // Where the training stands now; steps and forwards are counted from here.
    virtual void set_counts(const Counts& counts) = 0;

    bool done() const { return stopped_ || epoch_ > epochs_; }
    void stop() { stopped_ = true; }

    Schedule schedule = {};
    std::int64_t epoch() const { return epoch_; }
    std::int64_t step() const { return step_; }
    bool validating() const { return validating_; }  // all steps of the epoch in progress are done
    bool in_parts() const { return in_parts_; }
    bool waits_for_samples() const { return in_parts_ && !validating_ && !done() && step_ == part_end_; }
    bool nonfinite() const { return nonfinite_; }
    // Its regularisation loss is NaN where nobody asked for it: it is known of the last step of an epoch or of a stretch.
    StepRow last_step() const { return record_.last_step; }
    std::uint64_t steps_taken() const { return steps_taken_; }
    // The same since the training began, with those of plans before this one.
    std::int64_t updates() const { return updates_; }
    // Training forwards of whole steps.
    std::uint64_t forwards() const { return forwards_of_steps_; }
    // To be taken before the schedule changes.
    const Epochs& epochs() const { return record_.epochs(); }
    void forget_epochs() { record_.forget_epochs(); }
    const Noted& noted() const { return noted_; }
    // Keeps the memory for the next ones.
    void forget_noted() {
        noted_.steps.clear();
        noted_.rows.clear();
    }
    const std::vector<Monitor>& monitors() const { return monitors_; }

  protected:
    std::int64_t epochs_ = 0, epoch_ = 1, step_ = 0;  // batch of the epoch in progress, from 0
    std::uint64_t steps_taken_ = 0;  // updates made since the counts were set
    std::int64_t updates_ = 0;       // of this training
    std::uint64_t forwards_ = 0, forwards_of_steps_ = 0;
    bool stopped_ = false, nonfinite_ = false, validating_ = false, in_parts_ = false;
    std::int64_t part_first_ = 0, part_end_ = 0;  // steps of the samples in hand: all of an epoch's unless they come in parts
    Record record_;
    Noted noted_;
    std::vector<Monitor> monitors_;
};

template <class T> class Plan final : public PlanBase {
  public:
    Plan(const Network& network, EngineKind engine);

    void begin(const Work& work) override;
    void next_samples(const Samples& samples, bool last) override;
    void set_counts(const Counts& counts) override;
    std::int64_t run(std::int64_t max_steps, double seconds, const std::int64_t* order, const Factors& factors) override;
    std::size_t bytes() const override { return engine_->bytes(); }
    void load(const NetworkArrays<T>& arrays) {
        engine_->load(arrays);
        inputs_in_place_ = false;
    }
    void store(const NetworkArrays<T>& arrays) const { engine_->store(arrays); }
    // The parameters of the monitored best epoch.
    void store_best(const NetworkArrays<T>& arrays) { engine_->store_best(arrays); }
    // One forward and back over the first batch: returns its loss, penalties included, and gives the gradients of that away.
    // Needs a network that keeps gradients. `dropped`: as in Factors, of this step.
    double gradients(const NetworkArrays<T>& gradients, const double* dropped);
    // A step in two halves, for sums over parts that somebody makes in between; needs a network that keeps gradients. The first
    // one gives a part's share of the gradient away, without penalties, and returns its sums; it may come several times.
    Sums part_gradients(const Part& part, const std::int64_t* order, const double* dropped, const NetworkArrays<T>& gradients);
    // The other one adds the penalties' part, clips, and makes the optimizer's step. `factors` are those of this step;
    // `forwards`: training forwards, up to this step, since the counts were set.
    void spend(const NetworkArrays<T>& gradients, const Factors& factors, std::uint64_t forwards);
    double penalty() const { return engine_->penalty(); }
    // The pass of `gradients` writes there what it computes; needs an observed network.
    void watch(const Seen<T>* seen) { engine_->watch(seen); }

  private:
    // What one call of `run` was asked for and has done. Worker 0 writes; the others read, behind a barrier, what was written
    // before it.
    struct Stretch {
        std::int64_t max_steps;
        const std::int64_t* order;
        Factors factors;
        std::int64_t done = 0;
        Index taken = 0;  // steps that were not passed over
    };
    void turn(Stretch& stretch, runtime::Worker worker);
    bool one_step(Stretch& stretch, runtime::Worker worker);
    void finish_batch(Stretch& stretch, const Sums& sums, bool knows_penalty, bool makes_step);
    void pass_over(Stretch& stretch);
    void count_step(Stretch& stretch);
    void validate(const Stretch& stretch, runtime::Worker worker);
    void close_epoch(const Stretch& stretch);
    void take_note();
    // Whether the step in progress, or coming next, is noted.
    bool notes_now() const { return work_.notes_every > 0 && updates_ % work_.notes_every == 0; }
    void look_at_monitors();
    void wait_for_samples();
    void count_turn(runtime::Turn kind);
    void end_where_due(const Stretch& stretch);
    Batch batch(const Samples& samples, Index step, const std::int64_t* order, bool training) const;
    Sums sums_of(const Batch& batch) const;
    void prepare_rules(const Stretch& stretch);
    void prepare_rule(const Parameter& parameter, std::int64_t steps, double decay, UpdateRule& result) const;
    bool all_alike() const;
    Index steps_per_epoch() const { return steps_each_; }
    // The place of the batch in progress among those of its step.
    InStep in_step(const Batch& batch) const {
        if (net_.accumulate == 1) return {true, true, penalty_factor(batch)};
        const std::int64_t place = step_ % net_.accumulate;
        return {place == 0, place + 1 == net_.accumulate || step_ + 1 == static_cast<std::int64_t>(steps_per_epoch()), penalty_factor(batch)};
    }
    double penalty_factor(const Batch& batch) const { return net_.batch_objective ? 1 / batch.total_weight() : 1; }
    bool waits_for_team() const;
    void pass_and_give(const Batch& batch, int threads, const InStep& place, const NetworkArrays<T>& gradients);

    const Network net_;
    std::unique_ptr<Engine<T>> engine_;
    Work work_;
    Index steps_each_ = 0;  // batches of an epoch; without end as long as more parts may come
    Counts counts_;
    int epsilon_ = -1;  // its place among the rule's parameters
    StepRules rules_[2];  // of this step and of the next one: worker 0 is ahead of the others
    double rate_ = 0;     // of the step that comes next, without a parameter's factor
    bool alike_ = false, rules_stay_ = false;
    bool inputs_in_place_ = false;  // the engine holds the only batch there is
    bool has_accuracy_;
    bool regularized_ = false;
    bool fetches_ahead_ = false;  // the samples outgrow a core's cache
    Index validated_ = 0;  // batches of the validation in progress
    std::vector<Notes> notes_;  // of the last step that was noted
    runtime::Crew crew_;
};

}  // namespace chainrule::model
