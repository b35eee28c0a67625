#include "model/plan.hpp"

#include <algorithm>
#include <cmath>

#include "model/fetching.hpp"
#include "runtime/caches.hpp"
#include "runtime/dispatch.hpp"

namespace chainrule::model {
namespace {

using runtime::Clock;
using runtime::Turn;
using runtime::Worker;

// Steps of some milliseconds wait for the team: it is there before the first one would be over.
constexpr double worth_waiting_for_team = 1e9;  // flops

// Steps of an epoch whose last part has not come.
constexpr Index endless = Index(1) << 62;

// A parameter's update takes about as long as so many samples' products with it (a guess).
constexpr double flops_of_spending = 16;

// Notes that a stretch has room for.
constexpr std::size_t most_notes = 1 << 14, least_rows = 8;

}  // namespace

template <class T>
Plan<T>::Plan(const Network& network, EngineKind engine) : net_(network), counts_(network), has_accuracy_(network.metric != Metric::none), regularized_(network.regularized()) {
    const EngineKind kind = engine_of(network, engine, lanes<T>);
    engine_ = kind == EngineKind::nano ? make_nano_engine<T>(network) : make_panels_engine<T>(network);
    const Names& names = net_.rule_entry().parameters;
    for (int i = 0; i < names.count; ++i)
        if (names.name[i] == std::string("epsilon")) epsilon_ = i;
    for (StepRules& each : rules_) {
        each.features.resize(net_.of_features.size());
        each.stages.resize(net_.stages.size());
    }
    alike_ = all_alike();
    begin({});
}

template <class T> void Plan<T>::begin(const Work& work) {
    work_ = work;
    steps_each_ = (work.samples.count + (work.drops_last ? 0 : net_.batch_size - 1)) / net_.batch_size;
    part_first_ = 0;
    part_end_ = static_cast<std::int64_t>(steps_each_);
    in_parts_ = work.in_parts;
    if (in_parts_) wait_for_samples();
    epochs_ = work.epochs;
    epoch_ = 1;
    step_ = 0;
    validated_ = 0;
    stopped_ = nonfinite_ = validating_ = inputs_in_place_ = false;
    fetches_ahead_ = work.samples.count * net_.n_inputs() * bytes_of(work.samples.input_numbers) > runtime::caches().l2;
    record_.begin();
    updates_ = work.steps_before;
    forget_noted();
    monitors_ = work.monitors;
    if (std::any_of(monitors_.begin(), monitors_.end(), [](const Monitor& each) { return each.keeps; })) engine_->reserve_best();
}

// An epoch begins whose samples are to come.
template <class T> void Plan<T>::wait_for_samples() {
    steps_each_ = endless;
    part_first_ = part_end_ = 0;
}

template <class T> void Plan<T>::next_samples(const Samples& samples, bool last) {
    if (!waits_for_samples()) throw std::logic_error("next_samples: expected a training in parts whose samples are used up");
    if (samples.count < 1) throw std::invalid_argument("next_samples: expected samples, got none");
    if (!last && samples.count % (net_.batch_size * net_.accumulate) != 0) throw std::invalid_argument("next_samples: expected whole steps before the last part");
    work_.samples = samples;
    part_first_ = step_;
    part_end_ = step_ + static_cast<std::int64_t>((samples.count + net_.batch_size - 1) / net_.batch_size);
    if (last) steps_each_ = static_cast<Index>(part_end_);
    inputs_in_place_ = false;
}

template <class T> void Plan<T>::set_counts(const Counts& counts) {
    if (counts.streams.size() != counts_.streams.size() || counts.stages.size() != counts_.stages.size() || counts.features.size() != counts_.features.size())
        throw std::invalid_argument("counts: expected one of each parameter, and the stream of each dropout");
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
    result.next_first = result.first + result.rows;
    result.next_rows = order && fetches_ahead_ ? std::min(left - result.rows, net_.batch_size) : 0;
    result.inputs = samples.inputs;
    result.input_numbers = samples.input_numbers;
    result.targets = samples.targets;
    result.target_numbers = samples.target_numbers;
    result.labels = samples.labels;
    result.weights = samples.weights;
    result.training = training;
    result.same_as_before = training && inputs_in_place_ && !order && !in_parts_ && steps_per_epoch() == 1;
    result.step_first = result.first;
    result.step_rows = result.rows;
    result.streams = counts_.streams.data();
    result.forwards = forwards_;
    result.precision = work_.precision;
    if (training && net_.accumulate > 1) {
        result.step_first = (step - step % net_.accumulate) * net_.batch_size;
        const Index end = std::min(samples.count, static_cast<Index>(part_end_ - part_first_) * net_.batch_size);
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
    const bool kept = net_.keeps_gradients || notes_now();  // kept gradients have them already
    result.l1 = kept ? 0 : parameter.l1;
    result.l2 = kept ? 0 : parameter.l2;
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
    for (std::size_t i = 0; i < net_.of_features.size(); ++i) prepare_rule(net_.of_features[i], counts_.features[i], decay, rules.features[i]);
    if (net_.scale_learns()) prepare_rule(net_.scale, counts_.scale, decay, rules.scale);
    for (std::size_t s = 0; s < net_.stages.size(); ++s)
        if (net_.stages[s].shares.present) prepare_rule(net_.stages[s].shares, counts_.stages[s].shares, decay, rules.stages[s].shares);
    for (std::size_t s = 0; s < net_.stages.size(); ++s) {
        prepare_rule(net_.stages[s].weights, counts_.stages[s].weights, decay, rules.stages[s].weights);
        if (rules.same_for_all) return;
        prepare_rule(net_.stages[s].biases, counts_.stages[s].biases, decay, rules.stages[s].biases);
    }
}

// One batch, and with the last one of a step its update, the same in every worker. What worker 0 changes in finish_batch
// is read by the others only after the last barrier, or (here, at the top) before the first. Returns false where a loss
// that is not finite ends the training.
template <class T> bool Plan<T>::one_step(Stretch& stretch, Worker worker) {
    Batch now = batch(work_.samples, static_cast<Index>(step_ - part_first_), stretch.order, true);
    if (stretch.factors.dropped) now.drop_factors = stretch.factors.dropped + stretch.taken * static_cast<Index>(net_.stages.size() + 1);
    if (now.weights && now.total_weight() == 0) {
        crew_.barrier().wait(worker);
        if (worker.index == 0) pass_over(stretch);
        crew_.barrier().wait(worker);
        return true;
    }
    const StepRules& rules = rules_[steps_taken_ % 2];
    const double clip_norm = schedule.clip_norm;
    const InStep place = in_step(now);
    const bool noted = now.noted = notes_now();
    const bool reports_penalty = regularized_ && (net_.batch_objective || stretch.done + 1 == stretch.max_steps || step_ + 1 == static_cast<std::int64_t>(steps_per_epoch()));
    engine_->pass(now, worker, crew_.barrier());
    const Sums sums = sums_of(now);
    if (reports_penalty) {
        if (worker.index == 0) record_.last_step.regularization_loss = place.penalty_factor * engine_->penalty();
        crew_.barrier().wait(worker);
    }
    const double loss = sums.loss + (reports_penalty ? record_.last_step.regularization_loss : 0);
    if (work_.nonfinite == Nonfinite::stop && !std::isfinite(loss)) {
        crew_.barrier().wait(worker);
        if (worker.index == 0) {
            nonfinite_ = stopped_ = true;
            crew_.end();
        }
        crew_.barrier().wait(worker);
        return false;
    }
    if (net_.keeps_gradients || noted) {
        engine_->keep(now.rows, place, worker);
        if (place.last) engine_->spend(rules, clip_norm, noted, worker, crew_.barrier());
        if (place.last && noted) crew_.barrier().wait(worker);
    } else {
        engine_->update(rules, place.penalty_factor, now.rows, worker);
    }
    if (worker.index == 0) finish_batch(stretch, sums, reports_penalty, place.last);
    crew_.barrier().wait(worker);
    return true;
}

template <class T> void Plan<T>::finish_batch(Stretch& stretch, const Sums& sums, bool knows_penalty, bool makes_step) {
    StepRow& row = record_.last_step;
    row.data_loss = sums.mean_loss();
    row.accuracy = has_accuracy_ ? sums.accuracy() : NAN;
    if (!regularized_) row.regularization_loss = 0;
    else if (!knows_penalty) row.regularization_loss = NAN;
    row.rate = rate_;
    if (net_.batch_objective) record_.add_batch(sums, row.regularization_loss);
    else record_.add(sums);
    inputs_in_place_ = !stretch.order;
    ++forwards_;
    if (makes_step) {
        if (notes_now()) take_note();
        ++updates_;
        ++schedule.iterations;
        ++steps_taken_;
        forwards_of_steps_ = forwards_;
        ++stretch.taken;
        if (!rules_stay_) prepare_rules(stretch);
    }
    count_step(stretch);
}

// By worker 0, in memory that the stretch began with.
template <class T> void Plan<T>::take_note() {
    engine_->notes(notes_);
    noted_.steps.push_back(updates_ + 1);
    noted_.rows.insert(noted_.rows.end(), notes_.begin(), notes_.end());
    if (noted_.steps.size() == noted_.steps.capacity()) crew_.end();
}

template <class T> void Plan<T>::pass_over(Stretch& stretch) {
    inputs_in_place_ = false;
    count_step(stretch);
}

template <class T> void Plan<T>::count_step(Stretch& stretch) {
    record_.count_step();
    ++step_;
    ++stretch.done;
    validating_ = work_.validation.count > 0 && step_ == static_cast<std::int64_t>(steps_per_epoch());
    if (!validating_) end_where_due(stretch);
    count_turn(Turn::alike);
}

template <class T> void Plan<T>::end_where_due(const Stretch& stretch) {
    const bool used_up = in_parts_ && step_ == part_end_;
    if (used_up || stretch.done >= stretch.max_steps || (stretch.factors.any() && stretch.taken == stretch.factors.steps)) crew_.end();
}

template <class T> void Plan<T>::count_turn(Turn kind) {
    if (crew_.count(kind)) record_.spread_seconds(crew_.now(), step_, static_cast<std::int64_t>(steps_per_epoch()));
}

// One batch of the validation, and the end of the epoch with the last one.
template <class T> void Plan<T>::validate(const Stretch& stretch, Worker worker) {
    const Batch now = batch(work_.validation, validated_, nullptr, false);
    engine_->pass(now, worker, crew_.barrier());
    if (worker.index == 0) {
        inputs_in_place_ = false;
        record_.add_validation(sums_of(now));
        if (++validated_ * net_.batch_size >= work_.validation.count) {
            validating_ = false;
            validated_ = 0;
            end_where_due(stretch);
            close_epoch(stretch);
        }
        count_turn(Turn::other);
    }
    crew_.barrier().wait(worker);
}

// By worker 0, when all have made their last step.
template <class T> void Plan<T>::close_epoch(const Stretch& stretch) {
    record_.close_epoch(!regularized_ ? 0 : net_.batch_objective ? record_.mean_penalty() : engine_->penalty());
    if (!monitors_.empty()) look_at_monitors();
    step_ = 0;
    ++epoch_;
    if (in_parts_) wait_for_samples();
    if (stretch.order || in_parts_ || record_.full() || epoch_ > epochs_) crew_.end();
}

// Where one acts, the stretch ends: Python and the next steps' rules hear of it.
template <class T> void Plan<T>::look_at_monitors() {
    for (Monitor& monitor : monitors_) {
        if (monitor.look(epoch_, record_.last(monitor.value)) && monitor.keeps) engine_->keep_best();
        if (!monitor.out_of_patience()) continue;
        monitor.acted_epoch = epoch_;
        crew_.end();
        if (monitor.factor == 0) {
            stopped_ = true;
            continue;
        }
        schedule.learning_rate = std::min(schedule.learning_rate, std::max(schedule.learning_rate * monitor.factor, monitor.least));
        monitor.waited = 0;
        monitor.cooling = monitor.cooldown;
    }
}

// A step, and with the last one the end of the epoch; or a part of its validation.
template <class T> void Plan<T>::turn(Stretch& stretch, Worker worker) {
    if (validating_) return validate(stretch, worker);
    const bool ends_epoch = work_.validation.count == 0 && step_ + 1 == static_cast<std::int64_t>(steps_per_epoch());
    if (!one_step(stretch, worker) || !ends_epoch) return;
    if (worker.index == 0) close_epoch(stretch);
    crew_.barrier().wait(worker);
}

template <class T> std::int64_t Plan<T>::run(std::int64_t max_steps, double seconds, const std::int64_t* order, const Factors& factors) {
    if (work_.notes_every > 0 && !net_.noted) throw std::logic_error("run: expected a network with room for notes");
    if (noted_.steps.capacity() > 0 && noted_.steps.size() == noted_.steps.capacity()) throw std::logic_error("run: expected take_notes before it");
    if (done() || waits_for_samples() || (!validating_ && (max_steps < 1 || (factors.any() && factors.steps < 1)))) return 0;
    Stretch stretch = {max_steps, order, factors};
    prepare_rules(stretch);
    rules_stay_ = schedule.decay == 0 && !factors.any() && !net_.rule_entry().counts_steps && !(work_.notes_every > 0 && regularized_);
    if (rules_stay_) rules_[1 - steps_taken_ % 2] = rules_[steps_taken_ % 2];
    const int threads = engine_->uses_threads() ? runtime::threads_for_training() : 1;
    engine_->reserve(threads);
    record_.reserve(epochs_ - epoch_ + 1, {regularized_, has_accuracy_, schedule.decay != 0 || factors.rate, work_.validation.count > 0});
    if (work_.notes_every > 0) {
        const std::size_t each = 1 + net_.stages.size(), rows = std::max(most_notes / each, least_rows);
        noted_.steps.reserve(rows);
        noted_.rows.reserve(noted_.steps.capacity() * each);
        notes_.reserve(each);
    }
    record_.start_clock();
    crew_.run(threads, waits_for_team(), record_.last_clock() + runtime::duration(seconds), [&](Worker worker) { turn(stretch, worker); });
    record_.spread_seconds(Clock::now(), step_, static_cast<std::int64_t>(steps_per_epoch()));
    return stretch.done;
}

template <class T> bool Plan<T>::waits_for_team() const {
    return step_flops(net_) >= worth_waiting_for_team || runtime::team_is_forced();
}

template <class T> void Plan<T>::pass_and_give(const Batch& batch, int threads, const InStep& place, const NetworkArrays<T>& gradients) {
    engine_->reserve(threads);
    runtime::run_team(threads, [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::flush);
        runtime::Barrier alone;  // the team's end is the barrier
        engine_->pass(batch, worker, alone);
    });
    runtime::run_team(threads, [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::flush);
        engine_->keep(batch.rows, place, worker);
        engine_->give(gradients, worker);
    });
}

template <class T> double Plan<T>::gradients(const NetworkArrays<T>& gradients, const double* dropped) {
    Batch now = batch(work_.samples, 0, nullptr, true);
    now.drop_factors = dropped;
    const int threads = engine_->uses_threads() && waits_for_team() ? runtime::threads_for_training() : 1;
    pass_and_give(now, threads, {true, true, penalty_factor(now)}, gradients);
    ++forwards_;
    return sums_of(now).mean_loss() + penalty_factor(now) * engine_->penalty();
}

template <class T> Sums Plan<T>::part_gradients(const Part& part, const std::int64_t* order, const double* dropped, const NetworkArrays<T>& gradients) {
    Batch now = batch(work_.samples, 0, order, true);
    now.first = part.first;
    now.rows = part.rows;
    now.next_first = part.next_first;
    now.next_rows = order && fetches_ahead_ ? std::min(part.next_rows, part.rows) : 0;
    now.same_as_before = false;
    now.step_rows = part.step_rows;
    now.step_weight = part.step_weight;
    now.position = part.position;
    now.forwards = part.forwards;
    now.drop_factors = dropped;
    const double share = static_cast<double>(part.rows) / static_cast<double>(net_.batch_size);
    const int threads = engine_->uses_threads() ? runtime::threads_for_call(share * step_flops(net_)) : 1;
    pass_and_give(now, threads, {true, false, 1}, gradients);
    inputs_in_place_ = false;
    return sums_of(now);
}

template <class T> void Plan<T>::spend(const NetworkArrays<T>& gradients, const Factors& factors, std::uint64_t forwards) {
    Stretch stretch = {1, nullptr, factors};
    prepare_rules(stretch);
    const StepRules& rules = rules_[steps_taken_ % 2];
    const int threads = engine_->uses_threads() ? runtime::threads_for_call(flops_of_spending * step_flops(net_) / static_cast<double>(net_.batch_size)) : 1;
    engine_->reserve(threads);
    runtime::run_team(threads, [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::flush);
        engine_->take(gradients, schedule.clip_norm > 0, worker);
    });
    runtime::run_team(threads, [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::flush);
        runtime::Barrier alone;  // all squares are there
        engine_->spend(rules, schedule.clip_norm, false, worker, alone);
    });
    record_.last_step.rate = rate_;
    ++updates_;
    ++schedule.iterations;
    ++steps_taken_;
    forwards_ = forwards_of_steps_ = forwards;
}

template class Plan<float>;
template class Plan<double>;

}  // namespace chainrule::model
