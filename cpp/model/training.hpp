// Training: all steps of all epochs over a plan, in stretches.
//
// A stretch is one run of whole steps, ended by a number of steps, by the clock, by the end of the training or by a
// loss that is not finite. Between stretches Python has its say; the plan's memory lives on.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/plan.hpp"

namespace chainrule::model {

using runtime::Clock;

// Samples in the user's arrays, borrowed for the length of a call.
struct Samples {
    Index count = 0;
    const void* inputs = nullptr;
    bool inputs_double = false;
    const void* targets = nullptr;
    bool targets_double = false;
    const std::int64_t* labels = nullptr;
    const double* weights = nullptr;
};

// What Python may change between stretches.
struct Schedule {
    UpdateRule rule;       // momentum, epsilon, rho, betas
    double learning_rate, decay, weight_decay;
    double clip_norm;      // 0: none
    std::int64_t iterations;
};

enum class Nonfinite { stop, ignore };

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

class TrainingBase {
  public:
    virtual ~TrainingBase() = default;
    // Runs until `max_steps` are done or `seconds` have gone by; returns the steps done. `order`, if not null, is the
    // order of the samples in the epoch in progress: the stretch then ends with the epoch.
    virtual std::int64_t run(std::int64_t max_steps, double seconds, const std::int64_t* order) = 0;
    virtual std::size_t bytes() const = 0;

    bool done() const { return stopped_ || epoch_ > epochs_; }
    void stop() { stopped_ = true; }

    Schedule schedule = {};
    std::int64_t epoch() const { return epoch_; }
    std::int64_t step() const { return step_; }
    bool nonfinite() const { return nonfinite_; }
    StepRow last_step() const { return last_step_; }
    // To be taken before the schedule changes; `forget_epochs` keeps the memory for the next ones.
    const Epochs& epochs() const { return finished_; }
    void forget_epochs();

  protected:
    std::int64_t epochs_ = 0, epoch_ = 1, step_ = 0;  // step of the epoch in progress, from 0
    bool stopped_ = false, nonfinite_ = false;
    StepRow last_step_ = {};
    Epochs finished_;
    std::size_t finished_capacity_ = 0;
};

template <class T> class Training final : public TrainingBase {
  public:
    Training(const Network& network, EngineKind engine, const Samples& samples, const Samples& validation, std::int64_t epochs, Nonfinite nonfinite);

    std::int64_t run(std::int64_t max_steps, double seconds, const std::int64_t* order) override;
    std::size_t bytes() const override { return engine_->bytes(); }
    void load(const std::vector<StageArrays<T>>& arrays) {
        engine_->load(arrays);
        inputs_in_place_ = false;
    }
    void store(const std::vector<StageArrays<T>>& arrays) const { engine_->store(arrays); }

  private:
    struct Stretch;
    bool waits_for_team() const;
    void run_leg(Stretch& stretch, int threads);
    void work_in_team(Stretch& stretch, runtime::Worker worker);
    void work(Stretch& stretch, runtime::Worker worker);
    bool one_step(Stretch& stretch, runtime::Worker worker);
    void finish_step(Stretch& stretch, const Sums& sums, double rate);
    void read_clock(Stretch& stretch);
    void share_seconds(Clock::time_point now);
    void finish_epoch(Stretch& stretch, runtime::Worker worker);
    void reserve_finished();
    Batch batch(const Samples& samples, Index step, const std::int64_t* order, bool training) const;
    Sums sums_of(const Batch& batch) const;
    UpdateRule rule_now() const;
    Index steps_per_epoch() const { return (samples_.count + net_.batch_size - 1) / net_.batch_size; }

    const Network net_;
    std::unique_ptr<Engine<T>> engine_;
    const Samples samples_, validation_;
    const Nonfinite on_nonfinite_;
    std::uint64_t steps_done_ = 0;
    bool inputs_in_place_ = false;  // the engine holds the only batch there is
    bool has_accuracy_;
    bool regularized_ = false;
    Sums epoch_sums_;
    double epoch_seconds_ = 0;  // of the epoch in progress, up to last_clock_
    Clock::time_point last_clock_ = {};
    std::uint64_t steps_at_clock_ = 0;
    double alone_each_ = 0;  // seconds a step of one thread; 0: not known yet
    runtime::TeamTrials trials_;
    std::size_t unclocked_epochs_ = 0;  // of finished_, not yet given their seconds
};

}  // namespace chainrule::model
