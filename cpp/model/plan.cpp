#include "model/plan.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>

#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"

namespace chainrule::model {
namespace {

using runtime::Barrier;
using runtime::Worker;

Clock::duration duration(double seconds) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)); }
double seconds_between(Clock::time_point from, Clock::time_point to) { return std::chrono::duration<double>(to - from).count(); }

// One thread goes first; a call that is over by then has waited for nobody (a sleeping team takes milliseconds), and
// its speed is what a team must beat.
constexpr double alone_seconds = 0.002;
// One thread is as fast as its fastest trial of so long; the first one warms the caches. A team that turns out slower is
// sent away, and called again later.
constexpr double alone_trial_seconds = 0.0005, team_trial_seconds = 0.002;
// Steps of some milliseconds wait for the team: it is there before the first one would be over.
constexpr double worth_waiting_for_team = 1e9;  // flops
// Epochs that one stretch can report; more than 20 ms of the smallest net give.
constexpr std::int64_t most_epochs = 1 << 17;
// Share of the time that reading the clock may take: it is read every so many steps.
constexpr double clock_seconds = 40e-9, clock_share = 0.01;

}  // namespace

// One stretch. Worker 0 writes; the others read, behind a barrier, what was written before it.
template <class T> struct Plan<T>::Stretch {
    std::int64_t max_steps, done = 0;
    const std::int64_t* order;
    Factors factors;
    Index taken = 0;  // steps of this stretch that were not passed over
    Clock::time_point end;
    bool over = false;  // or the crew of this part of it: one thread, or a team
    Clock::time_point crew_end;
    bool in_team = false;
    // Its speed is looked at in trials.
    Clock::time_point trial_start;
    std::int64_t trial_steps = 0, next_clock = 1;
    double fastest = INFINITY;  // trial of one thread, seconds a step
    void begin_trial(Clock::time_point now) {
        trial_start = now;
        trial_steps = 0;
        next_clock = 1;
    }
    runtime::Shares& shares = runtime::shares_of_caller();
    Clock::time_point last_shares;
    Barrier barrier;
    // Worker 0 goes ahead alone while a team wakes up; `recruits` is how many it waits for, 0 in a team of one.
    std::atomic<int> reported{0};
    int recruits = 0;
    enum class Call { wait, start, leave };
    std::atomic<Call> call{Call::wait};
};

template <class T>
Plan<T>::Plan(const Network& network, EngineKind engine) : net_(network), has_accuracy_(network.metric != Metric::none), regularized_(network.regularized()) {
    const EngineKind kind = engine == EngineKind::automatic ? choose_engine(network, lanes<T>) : engine;
    engine_ = kind == EngineKind::nano ? make_nano_engine<T>(network) : make_panels_engine<T>(network);
    const Names& names = net_.rule_entry().parameters;
    for (int i = 0; i < names.count; ++i)
        if (names.name[i] == std::string("epsilon")) epsilon_ = i;
    for (StepRules& each : rules_) each.stages.resize(net_.stages.size());
    counts_.streams.resize(1 + net_.stages.size());
    counts_.stages.resize(net_.stages.size());
    alike_ = all_alike();
    begin({});
}

template <class T> void Plan<T>::begin(const Work& work) {
    work_ = work;
    epochs_ = work.epochs;
    epoch_ = 1;
    step_ = 0;
    stopped_ = nonfinite_ = inputs_in_place_ = false;
    last_step_ = {NAN, NAN, NAN, NAN};
    epoch_sums_ = {};
    epoch_penalty_ = epoch_seconds_ = 0;
    unclocked_epochs_ = 0;
    steps_at_clock_ = steps_passed_ = 0;
    forget_epochs();
}

template <class T> void Plan<T>::set_counts(const Counts& counts) {
    if (counts.streams.size() != 1 + net_.stages.size() || counts.stages.size() != net_.stages.size())
        throw std::invalid_argument("counts: expected one of each stage, and the stream of the inputs' dropout");
    counts_ = counts;
    steps_taken_ = forwards_ = forwards_of_steps_ = 0;
    alike_ = all_alike();
}

template <class T> Batch Plan<T>::batch(const Samples& samples, Index step, const std::int64_t* order, bool training) const {
    Batch result = {};
    result.first = step * net_.batch_size;
    const Index left = samples.count - result.first;
    result.rows = left < net_.batch_size ? left : net_.batch_size;
    result.order = order;
    result.inputs = samples.inputs;
    result.input_numbers = samples.input_numbers;
    result.targets = samples.targets;
    result.target_numbers = samples.target_numbers;
    result.labels = samples.labels;
    result.weights = samples.weights;
    result.training = training;
    result.same_as_before = training && inputs_in_place_ && !order && steps_per_epoch() == 1;
    result.step_first = result.first;
    result.step_rows = result.rows;
    result.streams = counts_.streams.data();
    result.forwards = forwards_;
    if (training && net_.accumulate > 1) {
        result.step_first = (step - step % net_.accumulate) * net_.batch_size;
        const Index end = std::min(samples.count, steps_per_epoch() * net_.batch_size);
        result.step_rows = std::min(net_.accumulate * net_.batch_size, end - result.step_first);
    }
    return result;
}

// In one order, so that every worker finds the same sum.
template <class T> Sums Plan<T>::sums_of(const Batch& batch) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    Sums sums;
    sums.rows = static_cast<double>(batch.rows);
    if (has_accuracy_) sums.hits = kernel.sum(batch.rows, engine_->hits());
    if (!batch.weights) {
        sums.loss = net_.loss_factor * kernel.sum(batch.rows, engine_->sample_losses());
        sums.weight = sums.rows;
        return sums;
    }
    for (Index r = 0; r < batch.rows; ++r) {
        const double weight = batch.weights[batch.place(r)];
        sums.loss += weight * static_cast<double>(engine_->sample_losses()[r]);
        sums.weight += weight;
    }
    sums.loss *= net_.loss_factor;
    return sums;
}

// Whether all parameters take the same step, but for weight decay.
template <class T> bool Plan<T>::all_alike() const {
    const Parameter& first = net_.stages.front().weights;
    const std::int64_t first_steps = counts_.stages.front().weights;
    const auto like_first = [&](const Parameter& other, std::int64_t steps) {
        return other.present && other.learns && !other.regularized() && other.rate_factor == first.rate_factor &&
               other.epsilon_factor == first.epsilon_factor && steps == first_steps;
    };
    for (std::size_t s = 0; s < net_.stages.size(); ++s)
        if (!like_first(net_.stages[s].weights, counts_.stages[s].weights) || !like_first(net_.stages[s].biases, counts_.stages[s].biases)) return false;
    return true;
}

template <class T> void Plan<T>::prepare_rule(const Parameter& parameter, std::int64_t steps, double decay, UpdateRule& result) const {
    double settings[most_names];
    for (std::size_t i = 0; i < schedule.parameters.size(); ++i) settings[i] = schedule.parameters[i];
    if (epsilon_ >= 0) settings[epsilon_] *= parameter.epsilon_factor;
    const double step = static_cast<double>(steps) + static_cast<double>(steps_taken_ + 1);
    result.rule = net_.rule;
    net_.rule_entry().prepare(settings, rate_ * parameter.rate_factor, step, result.constants);
    result.decay = decay * parameter.decay_factor;
    result.l1 = net_.keeps_gradients ? 0 : parameter.l1;  // kept gradients have them already
    result.l2 = net_.keeps_gradients ? 0 : parameter.l2;
}

// Those of the step that comes next. rate = learning_rate / (1 + decay * iterations), written as the notebooks' classes do.
template <class T> void Plan<T>::prepare_rules(const Stretch& stretch) {
    const Index at = stretch.taken;
    if (stretch.factors.any() && at >= stretch.factors.steps) return;  // the next stretch brings more
    const double iterations = static_cast<double>(schedule.iterations);
    rate_ = schedule.decay != 0 ? schedule.learning_rate * (1.0 / (1.0 + schedule.decay * iterations)) : schedule.learning_rate;
    if (stretch.factors.rate) rate_ *= stretch.factors.rate[at];
    const double decay = rate_ * (stretch.factors.weight_decay ? schedule.weight_decay * stretch.factors.weight_decay[at] : schedule.weight_decay);
    StepRules& rules = rules_[steps_taken_ % 2];
    rules.same_for_all = alike_ && decay == 0;
    if (net_.scale_learns()) prepare_rule(net_.scale, counts_.scale, decay, rules.scale);
    for (std::size_t s = 0; s < net_.stages.size(); ++s) {
        prepare_rule(net_.stages[s].weights, counts_.stages[s].weights, decay, rules.stages[s].weights);
        if (rules.same_for_all) return;
        prepare_rule(net_.stages[s].biases, counts_.stages[s].biases, decay, rules.stages[s].biases);
    }
}

// One batch, and with the last one of a step its update, the same turns in every worker. What worker 0 changes in
// finish_batch is read by the others only after the last barrier, or (here, at the top) before the first. Returns false
// where a loss that is not finite ends the training.
template <class T> bool Plan<T>::one_step(Stretch& stretch, Worker worker) {
    Batch now = batch(work_.samples, static_cast<Index>(step_), stretch.order, true);
    if (stretch.factors.dropped) now.drop_factors = stretch.factors.dropped + stretch.taken * static_cast<Index>(net_.stages.size() + 1);
    if (now.weights && now.total_weight() == 0) {
        stretch.barrier.wait(worker);
        if (worker.index == 0) pass_over(stretch);
        stretch.barrier.wait(worker);
        return true;
    }
    const StepRules& rules = rules_[steps_taken_ % 2];
    const double clip_norm = schedule.clip_norm;
    const Turn now_turn = turn(now);
    const bool reports_penalty = regularized_ && (net_.batch_objective || stretch.done + 1 == stretch.max_steps || step_ + 1 == static_cast<std::int64_t>(steps_per_epoch()));
    engine_->pass(now, worker, stretch.barrier);
    const Sums sums = sums_of(now);
    if (reports_penalty) {
        if (worker.index == 0) last_step_.regularization_loss = now_turn.penalty_factor * engine_->penalty();
        stretch.barrier.wait(worker);
    }
    const double loss = sums.loss + (reports_penalty ? last_step_.regularization_loss : 0);
    if (work_.nonfinite == Nonfinite::stop && !std::isfinite(loss)) {
        stretch.barrier.wait(worker);
        if (worker.index == 0) nonfinite_ = stopped_ = true;
        return false;
    }
    if (net_.keeps_gradients) {
        engine_->keep(now.rows, now_turn, worker);
        if (now_turn.last) engine_->spend(rules, clip_norm, worker, stretch.barrier);
    } else {
        engine_->update(rules, now_turn.penalty_factor, now.rows, worker);
    }
    if (worker.index == 0) finish_batch(stretch, sums, reports_penalty, now_turn.last);
    stretch.barrier.wait(worker);
    return true;
}

template <class T> void Plan<T>::finish_batch(Stretch& stretch, const Sums& sums, bool knows_penalty, bool makes_step) {
    last_step_.data_loss = sums.mean_loss();
    last_step_.accuracy = has_accuracy_ ? sums.accuracy() : NAN;
    if (!regularized_) last_step_.regularization_loss = 0;
    else if (!knows_penalty) last_step_.regularization_loss = NAN;
    if (net_.batch_objective) {
        epoch_sums_.add({sums.rows * sums.mean_loss(), sums.rows, sums.hits, sums.rows});
        epoch_penalty_ += sums.rows * last_step_.regularization_loss;
    } else {
        epoch_sums_.add(sums);
    }
    last_step_.rate = rate_;
    inputs_in_place_ = true;
    ++forwards_;
    if (makes_step) {
        ++schedule.iterations;
        ++steps_taken_;
        forwards_of_steps_ = forwards_;
        ++stretch.taken;
        if (!rules_stay_) prepare_rules(stretch);
        if (stretch.factors.any() && stretch.taken == stretch.factors.steps) stretch.over = true;
    }
    count_step(stretch);
}

template <class T> void Plan<T>::pass_over(Stretch& stretch) {
    inputs_in_place_ = false;
    count_step(stretch);
}

template <class T> void Plan<T>::count_step(Stretch& stretch) {
    ++steps_passed_;
    ++step_;
    ++stretch.done;
    if (stretch.done == stretch.max_steps) stretch.over = true;
    ++stretch.trial_steps;
    if (stretch.trial_steps >= stretch.next_clock) read_clock(stretch);
}

template <class T> void Plan<T>::read_clock(Stretch& stretch) {
    const Clock::time_point now = Clock::now();
    spread_seconds(now);
    const double each = seconds_between(stretch.trial_start, now) / static_cast<double>(stretch.trial_steps);
    stretch.next_clock = stretch.trial_steps + static_cast<std::int64_t>(clock_seconds / clock_share / (each + 1e-9)) + 1;
    if (now >= stretch.end || now >= stretch.crew_end) stretch.over = true;
    if (stretch.in_team) {
        for (int i = 0; i <= stretch.recruits; ++i) stretch.shares.add_busy(i, now - stretch.last_shares);
        stretch.shares.adjust(now - stretch.last_shares);
        stretch.last_shares = now;
    }
    if (seconds_between(stretch.trial_start, now) < (stretch.in_team ? team_trial_seconds : alone_trial_seconds)) return;
    if (!stretch.in_team) alone_each_ = stretch.fastest = std::min(stretch.fastest, each);
    else if (!waits_for_team() && !trials_.pays(each, alone_each_)) stretch.over = true;
    stretch.begin_trial(now);
}

// Spreads the time since the clock was last read evenly over the steps since then, and so over the epochs they closed:
// reading it for each epoch would take longer than the smallest epochs do.
template <class T> void Plan<T>::spread_seconds(Clock::time_point now) {
    const double steps = static_cast<double>(steps_passed_ - steps_at_clock_);
    if (steps == 0) epoch_seconds_ += seconds_between(last_clock_, now);
    const double each = steps > 0 ? seconds_between(last_clock_, now) / steps : 0;
    const double whole = static_cast<double>(steps_per_epoch());
    double left = steps;
    for (; unclocked_epochs_ > 0; --unclocked_epochs_) {
        const double here = left - static_cast<double>(step_) - whole * static_cast<double>(unclocked_epochs_ - 1);
        finished_.seconds[finished_.count - unclocked_epochs_] = epoch_seconds_ + each * here;
        epoch_seconds_ = 0;
        left -= here;
    }
    epoch_seconds_ += each * left;
    last_clock_ = now;
    steps_at_clock_ = steps_passed_;
}

// Runs the validation and closes the epoch, all workers together.
template <class T> void Plan<T>::finish_epoch(Stretch& stretch, Worker worker) {
    Sums validation;
    for (Index step = 0; step * net_.batch_size < work_.validation.count; ++step) {
        const Batch now = batch(work_.validation, step, nullptr, false);
        engine_->pass(now, worker, stretch.barrier);
        if (worker.index == 0) validation.add(sums_of(now));
        stretch.barrier.wait(worker);
    }
    if (worker.index == 0) {
        const bool validated = work_.validation.count > 0;
        if (validated) inputs_in_place_ = false;
        finished_.data_loss.push_back(epoch_sums_.mean_loss());
        finished_.seconds.push_back(0);
        if (regularized_) finished_.regularization_loss.push_back(net_.batch_objective ? epoch_penalty_ / epoch_sums_.rows : engine_->penalty());
        if (has_accuracy_) finished_.accuracy.push_back(epoch_sums_.accuracy());
        if (rate_changes_) finished_.rate.push_back(last_step_.rate);
        if (validated) finished_.validation_loss.push_back(validation.mean_loss());
        if (validated && has_accuracy_) finished_.validation_accuracy.push_back(validation.accuracy());
        ++finished_.count;
        epoch_sums_ = {};
        epoch_penalty_ = 0;
        ++unclocked_epochs_;
        step_ = 0;
        ++epoch_;
        if (stretch.order || finished_.count == finished_capacity_) stretch.over = true;
    }
    stretch.barrier.wait(worker);
}

template <class T> void Plan<T>::work(Stretch& stretch, Worker worker) {
    while (!stretch.over && epoch_ <= epochs_) {
        if (worker.count > 1) worker = stretch.shares.worker(worker.index, worker.count);  // adjusted between steps
        const bool ends_epoch = step_ + 1 == static_cast<std::int64_t>(steps_per_epoch());
        if (!one_step(stretch, worker)) return;
        if (ends_epoch) finish_epoch(stretch, worker);
        if (worker.count == 1 && stretch.recruits > 0 && stretch.reported.load(std::memory_order_acquire) == stretch.recruits) return;
    }
}

// Worker 0 goes on at once and calls the others in when all have come.
template <class T> void Plan<T>::work_in_team(Stretch& stretch, Worker worker) {
    using Call = typename Stretch::Call;
    int spins = 0;
    if (worker.index > 0) {
        stretch.reported.fetch_add(1, std::memory_order_acq_rel);
        Call call;
        while ((call = stretch.call.load(std::memory_order_acquire)) == Call::wait) runtime::spin_once(spins);
        if (call == Call::start) work(stretch, worker);
        return;
    }
    stretch.recruits = worker.count - 1;
    stretch.barrier.reset(1, nullptr);
    if (waits_for_team())
        while (stretch.reported.load(std::memory_order_acquire) < stretch.recruits) runtime::spin_once(spins);
    else
        work(stretch, Worker{});
    const bool goes_on = !stretch.over && !done();
    if (goes_on) {
        stretch.in_team = worker.count > 1;
        stretch.last_shares = Clock::now();
        stretch.begin_trial(stretch.last_shares);
    }
    stretch.barrier.reset(worker.count, &stretch.shares);
    stretch.call.store(goes_on ? Call::start : Call::leave, std::memory_order_release);
    if (goes_on) work(stretch, worker);
}

template <class T> bool Plan<T>::waits_for_team() const {
    return step_flops(net_) >= worth_waiting_for_team || runtime::team_is_forced();
}

// A part of the stretch by one crew: a team, where one is worth calling now, else one thread.
template <class T> void Plan<T>::run_crew(Stretch& stretch, int threads) {
    const bool team = threads > 1 && (waits_for_team() || (alone_each_ > 0 && Clock::now() >= runtime::team_rests_until()));
    stretch.begin_trial(Clock::now());
    stretch.fastest = INFINITY;
    stretch.over = stretch.in_team = false;
    stretch.recruits = 0;
    stretch.reported = 0;
    stretch.call = Stretch::Call::wait;
    stretch.barrier.reset(1, nullptr);
    if (team) {
        stretch.crew_end = Clock::time_point::max();
        runtime::run_team(threads, [&](Worker worker) {
            const runtime::FloatingPointState state(runtime::Subnormals::flush);
            work_in_team(stretch, worker);
        });
        return;
    }
    if (threads == 1) stretch.crew_end = Clock::time_point::max();
    else stretch.crew_end = std::max(runtime::team_rests_until(), stretch.trial_start + duration(alone_seconds));
    const runtime::FloatingPointState state(runtime::Subnormals::flush);
    work(stretch, Worker{});
}

void PlanBase::forget_epochs() {
    finished_.count = 0;
    for (std::vector<double>* column : {&finished_.data_loss, &finished_.seconds, &finished_.regularization_loss, &finished_.accuracy, &finished_.rate, &finished_.validation_loss, &finished_.validation_accuracy})
        column->clear();
}

// Nothing is allocated in the loop: where there is no more room, Python takes them first.
template <class T> void Plan<T>::reserve_finished() {
    finished_capacity_ = static_cast<std::size_t>(std::min(epochs_ - epoch_ + 1 + static_cast<std::int64_t>(finished_.count), most_epochs));
    const auto reserve = [this](bool used, std::vector<double>& column) {
        if (used) column.reserve(finished_capacity_);
    };
    const bool validates = work_.validation.count > 0;
    reserve(true, finished_.data_loss);
    reserve(true, finished_.seconds);
    reserve(regularized_, finished_.regularization_loss);
    reserve(has_accuracy_, finished_.accuracy);
    reserve(rate_changes_, finished_.rate);
    reserve(validates, finished_.validation_loss);
    reserve(validates && has_accuracy_, finished_.validation_accuracy);
}

template <class T> std::int64_t Plan<T>::run(std::int64_t max_steps, double seconds, const std::int64_t* order, const Factors& factors) {
    if (done() || max_steps < 1 || (factors.any() && factors.steps < 1)) return 0;
    Stretch stretch;
    stretch.max_steps = max_steps;
    stretch.order = order;
    stretch.factors = factors;
    prepare_rules(stretch);
    rules_stay_ = schedule.decay == 0 && !factors.any() && !net_.rule_entry().counts_steps;
    if (rules_stay_) rules_[1 - steps_taken_ % 2] = rules_[steps_taken_ % 2];
    last_clock_ = Clock::now();
    stretch.end = last_clock_ + duration(seconds);
    if (order) inputs_in_place_ = false;
    const int threads = engine_->uses_threads() ? runtime::threads_for_training() : 1;
    engine_->reserve(threads);
    rate_changes_ = schedule.decay != 0 || factors.rate;
    reserve_finished();
    const std::int64_t epoch = epoch_;
    do run_crew(stretch, threads);
    while (!done() && stretch.done < max_steps && !(factors.any() && stretch.taken >= factors.steps) && !(order && epoch_ != epoch) && finished_.count < finished_capacity_ && Clock::now() < stretch.end);
    spread_seconds(Clock::now());
    return stretch.done;
}

template <class T> double Plan<T>::gradients(const NetworkArrays<T>& gradients, const double* dropped) {
    Batch now = batch(work_.samples, 0, nullptr, true);
    now.drop_factors = dropped;
    const int threads = engine_->uses_threads() && waits_for_team() ? runtime::threads_for_training() : 1;
    engine_->reserve(threads);
    runtime::run_team(threads, [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::flush);
        Barrier alone;  // the team's end is the barrier
        engine_->pass(now, worker, alone);
    });
    runtime::run_team(threads, [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::flush);
        engine_->keep(now.rows, {true, true, penalty_factor(now)}, worker);
        engine_->give(gradients, worker);
    });
    ++forwards_;
    return sums_of(now).mean_loss() + penalty_factor(now) * engine_->penalty();
}

template class Plan<float>;
template class Plan<double>;

}  // namespace chainrule::model
