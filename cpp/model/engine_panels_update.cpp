// Engine "panels": the gradients, each finished over all samples in order and spent at once; each worker its own weights.
#include <algorithm>
#include <cmath>

#include "model/engine_panels.hpp"

namespace chainrule::model::panels {

// Panels of inputs in a tile of weights, which stay in L2 while the panels of dvalues pass by (chosen on `digits`, `rl`).
// Where weights stream, so do dvalues, and a tile has as many as take a quarter of L2 (chosen on `wide` and `huge`).
constexpr Index tile_panels = 8, most_tile_panels = 32;

// All weights, cut into tiles of a few panels by a few panels; a tile's cost is its share of the gradient product.
template <class T> void PanelsEngine<T>::plan_tiles() {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        if (!net_.stages[s].product_learns()) continue;
        const Index panels = panels_of<T>(net_.stages[s].n_neurons), input_panels = panels_of<T>(net_.stages[s].n_inputs);
        const Index step = kernel_.product_tn_vectors;
        const Index fitting = std::clamp(blocks_.quarter_l2 / (net_.batch_size * line_bytes), strip_panels, most_tile_panels);
        const Index height = stages_[s].streams ? fitting : tile_panels;
        for (Index q = 0; q < input_panels; q += height) {
            const Index last = std::min(q + height, input_panels);
            const Index inputs = std::min(last * lanes<T>, net_.stages[s].n_inputs) - q * lanes<T>;
            for (Index p = 0; p < panels;) {
                // 4 panels go as 2 + 2
                const Index vectors = panels - p == 4 && step == 3 ? 2 : std::min(panels - p, step);
                tiles_.push_back({s, p, vectors, q, last, q == 0 && net_.stages[s].biases.present, static_cast<double>((inputs + 2) * (vectors + 1))});
                p += vectors;
            }
        }
    }
    for (const Tile& tile : tiles_) total_cost_ += tile.cost;
    Index squares = 0;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        stages_[s].squares = squares;
        squares += panels_of<T>(net_.stages[s].n_neurons) * (1 + panels_of<T>(net_.stages[s].n_inputs));
    }
    plan_lots(squares);
    if (net_.keeps_gradients || net_.noted) squares_.resize(lots_.empty() ? static_cast<std::size_t>(squares) : lots_.back().pieces.back().square + 1);
    if (!net_.noted) return;
    step_squares_ = parameter_squares_ = squares_;
}

// A worker's tiles: those whose middle lies in its share of the cost.
template <class T> template <class Body> void PanelsEngine<T>::for_each_tile(Worker worker, const Body& body) {
    const double from = total_cost_ * worker.from, to = total_cost_ * worker.to;
    double before = 0;
    for (std::size_t i = 0; i < tiles_.size(); ++i) {
        const double middle = before + tiles_[i].cost / 2;
        if (middle >= from && middle < to) body(tiles_[i]);
        before += tiles_[i].cost;
    }
}

template <class T> template <class Body> void PanelsEngine<T>::for_each_strip(const Tile& tile, Index input_panels_each, const Body& body) const {
    if (tile.bias) body(Strip{-1, 1});
    for (Index q = tile.first_input_panel; q < tile.last_input_panel; q += input_panels_each) {
        const Index last = std::min(q + input_panels_each, tile.last_input_panel);
        body(Strip{q, std::min(last * lanes<T>, net_.stages[tile.stage].n_inputs) - q * lanes<T>});
    }
}

// gradient (vectors, strip.rows, lanes) = inputs^T . dvalues over all samples; `room` is for sums of groups of them (chunks.hpp).
template <class T> void PanelsEngine<T>::strip_gradient(const Tile& tile, const Strip& strip, Index samples, T* gradient, T* room) {
    const bool streams = stages_[tile.stage].streams;
    const T one = 1;
    const Grid<const T> inputs = strip.biases() ? Grid<const T>{&one, 0, 0} : constant(at(inputs_of(tile.stage, true), 0, strip.input_panel));
    const Grid<const T> dvalues = constant(at(stages_[tile.stage].dvalues.grid(), 0, tile.panel));
    const Grid<T> output = {gradient, lanes<T>, strip.rows * lanes<T>};
    if (samples <= few_samples) return kernel_.product_tn_few({strip.rows, samples, tile.vectors * lanes<T>, inputs, dvalues, {nullptr, 0, 0}, output, true, false});
    const auto group_sum = [&](Index start, T* place) {
        const Grid<T> sums = {place, output.row, output.vec};
        for_each_chunk(std::min(samples - start, group_samples), [&](Index first, Index count, bool adds) {
            kernel_.product_tn({strip.rows, count, tile.vectors * lanes<T>, at(inputs, start + first, 0), at(dvalues, start + first, 0),
                                adds ? constant(sums) : Grid<const T>{nullptr, 0, 0}, sums, true, streams, adds});
        });
    };
    if (samples <= group_samples) return group_sum(0, gradient);
    const Index elements = tile.vectors * strip.rows * lanes<T>;
    Cascade<T> sums(room, elements);
    for (Index start = 0; start < samples; start += group_samples) {
        group_sum(start, sums.place());
        sums.add();
    }
    std::copy_n(sums.total(), elements, gradient);
}

template <class T> void PanelsEngine<T>::strip_update(const StepRules& rules, double penalty_factor, const Tile& tile, const Strip& strip, const T* gradient) {
    const StageMemory<T>& memory = stages_[tile.stage];
    const Stage& stage = net_.stages[tile.stage];
    const Index offset = tile.panel * memory.panel + strip.first_row<T>() * lanes<T>;
    PanelUpdateJob<T> job = {};
    job.rule = strip.biases() ? rules.biases(tile.stage) : rules.weights(tile.stage);
    scale_penalties(job.rule, penalty_factor);
    job.rows = strip.rows;
    job.vectors = tile.vectors;
    job.columns = stage.n_neurons - tile.panel * lanes<T>;
    job.gradient = gradient;
    job.parameter = memory.weights + offset;
    job.panel = memory.panel;
    for (int i = 0; i < net_.rule_entry().states.count; ++i) job.states[i] = memory.states[i] + offset;
    if (memory.transposed && !strip.biases()) {
        job.transposed = memory.transposed + strip.input_panel * memory.transposed_panel + tile.panel * lanes<T> * lanes<T>;
        job.transposed_panel = memory.transposed_panel;
    }
    kernel_.rules[net_.rule].update_panels(job);
}

template <class T> void PanelsEngine<T>::strip_regularize(double penalty_factor, const Tile& tile, const Strip& strip, T* gradient) {
    const StageMemory<T>& memory = stages_[tile.stage];
    const Stage& stage = net_.stages[tile.stage];
    const Parameter& part = strip.biases() ? stage.biases : stage.weights;
    const T* parameter = memory.weights + tile.panel * memory.panel + strip.first_row<T>() * lanes<T>;
    for (Index v = 0; v < tile.vectors; ++v)
        kernel_.regularize(strip.rows * lanes<T>, static_cast<T>(penalty_factor * part.l1), static_cast<T>(penalty_factor * part.l2), parameter + v * memory.panel, gradient + v * strip.rows * lanes<T>);
}

// Sums of squares over the neurons that exist, one for each panel by each panel of inputs: their order is not that of the
// tiles, whose width depends on the CPU target.
template <class T> void PanelsEngine<T>::strip_squares(const Tile& tile, const Strip& strip, const T* gradient) {
    const Index places = 1 + panels_of<T>(net_.stages[tile.stage].n_inputs);
    for (Index v = 0; v < tile.vectors; ++v) {
        const Index neurons = std::min(net_.stages[tile.stage].n_neurons - (tile.panel + v) * lanes<T>, lanes<T>);
        double total = 0;
        for (Index r = 0; r < strip.rows; ++r) total += kernel_.sum_of_squares(neurons, gradient + (v * strip.rows + r) * lanes<T>);
        squares_[static_cast<std::size_t>(stages_[tile.stage].squares + (tile.panel + v) * places + strip.input_panel + 1)] = total;
    }
}

template <class T> void PanelsEngine<T>::update(const StepRules& rules, double penalty_factor, Index samples, Worker worker) {
    update_beside(rules, penalty_factor, samples, worker);
    alignas(line_bytes) T gradient[strip_panels * lanes<T> * most_vectors * lanes<T>];
    for_each_tile(worker, [&](const Tile& tile) {
        for_each_strip(tile, strip_panels, [&](const Strip& strip) {
            strip_gradient(tile, strip, samples, gradient, scratch_of(worker));
            strip_update(rules, penalty_factor, tile, strip, gradient);
        });
    });
}

// --- gradients that are kept ----------------------------------------------------------------------------------------

template <class T> void PanelsEngine<T>::keep(Index samples, InStep place, Worker worker) {
    alignas(line_bytes) T gradient[lanes<T> * most_vectors * lanes<T>];
    for_each_tile(worker, [&](const Tile& tile) {
        for_each_strip(tile, 1, [&](const Strip& strip) {
            const StageMemory<T>& memory = stages_[tile.stage];
            const Index at = kept_at(tile, strip), count = strip.rows * tile.vectors * lanes<T>;
            T* const kept = memory.gradient + at;
            strip_gradient(tile, strip, samples, place.first ? kept : gradient, scratch_of(worker));
            if (!place.first) add_up(count, gradient, kept, memory.lost + at);
            else if (memory.lost) std::fill_n(memory.lost + at, count, T(0));
            if (!place.last) return;
            strip_regularize(place.penalty_factor, tile, strip, kept);
            strip_squares(tile, strip, kept);
        });
    });
    keep_beside(samples, place, worker);
}

template <class T> void PanelsEngine<T>::spend(const StepRules& rules, double clip_norm, bool noted, Worker worker, Barrier& barrier) {
    T factor = 1;
    if (clip_norm > 0) {
        barrier.wait(worker);
        double squares = 0;
        for (const double each : squares_) squares += each;
        const double norm = std::sqrt(squares);
        if (norm > clip_norm) factor = static_cast<T>(clip_norm / norm);
    }
    spend_beside(rules, factor, noted, worker);
    alignas(line_bytes) T gradient[lanes<T> * most_vectors * lanes<T>];
    for_each_tile(worker, [&](const Tile& tile) {
        for_each_strip(tile, 1, [&](const Strip& strip) {
            const T* const place = stages_[tile.stage].gradient + kept_at(tile, strip);
            const Index count = strip.rows * tile.vectors * lanes<T>;
            for (Index e = 0; e < count; ++e) gradient[e] = place[e] * factor;
            if (noted) spend_noted(rules, tile, strip, gradient);
            else strip_update(rules, 1, tile, strip, gradient);
        });
    });
}

// The update of a strip, with the squares of its parameters before it and of its step, over the neurons that exist.
template <class T> void PanelsEngine<T>::spend_noted(const StepRules& rules, const Tile& tile, const Strip& strip, const T* gradient) {
    const StageMemory<T>& memory = stages_[tile.stage];
    const T* const parameter = memory.weights + tile.panel * memory.panel + strip.first_row<T>() * lanes<T>;
    alignas(line_bytes) T step[lanes<T> * most_vectors * lanes<T>];
    const Index row = strip.rows * lanes<T>;
    const Index places = 1 + panels_of<T>(net_.stages[tile.stage].n_inputs);
    const auto place = [&](Index v) { return static_cast<std::size_t>(memory.squares + (tile.panel + v) * places + strip.input_panel + 1); };
    const auto squares = [&](Index v, const T* values) {
        const Index neurons = net_.stages[tile.stage].n_neurons - (tile.panel + v) * lanes<T>;
        if (neurons >= lanes<T>) return kernel_.sum_of_squares(row, values);
        double total = 0;
        for (Index r = 0; r < row; r += lanes<T>) total += kernel_.sum_of_squares(neurons, values + r);
        return total;
    };
    for (Index v = 0; v < tile.vectors; ++v) {
        parameter_squares_[place(v)] = squares(v, parameter + v * memory.panel);
        std::copy_n(parameter + v * memory.panel, row, step + v * row);
    }
    strip_update(rules, 1, tile, strip, gradient);
    for (Index v = 0; v < tile.vectors; ++v) {
        for (Index e = 0; e < row; ++e) step[v * row + e] = parameter[v * memory.panel + e] - step[v * row + e];
        step_squares_[place(v)] = squares(v, step + v * row);
    }
}

// A stage's sums, in one order for every number of threads.
template <class T> Squares PanelsEngine<T>::sums_of(std::size_t s, const std::vector<double>& squares) const {
    const Index places = 1 + panels_of<T>(net_.stages[s].n_inputs);
    Squares sums;
    for (Index p = 0; p < panels_of<T>(net_.stages[s].n_neurons); ++p)
        for (Index q = 0; q < places; ++q) (q == 0 ? sums.biases : sums.weights) += squares[static_cast<std::size_t>(stages_[s].squares + p * places + q)];
    return sums;
}

template <class T> void PanelsEngine<T>::notes(std::vector<Notes>& found) const {
    found.assign(1 + stages_.size(), {});
    for (std::size_t p = beside_squares_; p < squares_.size(); ++p) {
        found[0].gradient.weights += squares_[p];
        found[0].step.weights += step_squares_[p];
        found[0].parameters.weights += parameter_squares_[p];
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        found[1 + s] = {sums_of(s, squares_), sums_of(s, step_squares_), sums_of(s, parameter_squares_)};
        for (Index j = units(s); j < units(s + 1); ++j) {
            bool any = false;
            for (int w = 0; w < noting_; ++w) any |= alive_[static_cast<std::size_t>(w * units(stages_.size()) + j)] != 0;
            found[1 + s].dead += !any;
        }
    }
}

template <class T> void PanelsEngine<T>::give(const NetworkArrays<T>& gradients, Worker worker) {
    for_each_tile(worker, [&](const Tile& tile) {
        const Index m = net_.stages[tile.stage].n_neurons;
        for_each_strip(tile, 1, [&](const Strip& strip) {
            const ParameterArrays<T>& user = strip.biases() ? gradients.stages[tile.stage].biases : gradients.stages[tile.stage].weights;
            if (!user.values) return;
            const T* const place = stages_[tile.stage].gradient + kept_at(tile, strip);
            const Index row = strip.biases() ? 0 : strip.input_panel * lanes<T>;
            for (Index v = 0; v < tile.vectors; ++v) {
                const Index column = (tile.panel + v) * lanes<T>, count = std::min(m - column, lanes<T>);
                for (Index r = 0; r < strip.rows; ++r) copy_row(place + (v * strip.rows + r) * lanes<T>, user.values + (row + r) * m + column, count);
            }
        });
    });
    give_beside(gradients, worker);
}

template <class T> void PanelsEngine<T>::take(const NetworkArrays<T>& gradients, bool clips, Worker worker) {
    for_each_tile(worker, [&](const Tile& tile) {
        const Index m = net_.stages[tile.stage].n_neurons;
        for_each_strip(tile, 1, [&](const Strip& strip) {
            const ParameterArrays<T>& user = strip.biases() ? gradients.stages[tile.stage].biases : gradients.stages[tile.stage].weights;
            T* const place = stages_[tile.stage].gradient + kept_at(tile, strip);
            const Index row = strip.biases() ? 0 : strip.input_panel * lanes<T>;
            for (Index v = 0; v < tile.vectors; ++v) {
                const Index column = (tile.panel + v) * lanes<T>, count = user.values ? std::min(m - column, lanes<T>) : 0;
                for (Index r = 0; r < strip.rows; ++r) {
                    T* const target = place + (v * strip.rows + r) * lanes<T>;
                    if (count > 0) copy_row(user.values + (row + r) * m + column, target, count);
                    if (count < lanes<T>) std::fill(target + count, target + lanes<T>, T(0));
                }
            }
            if (clips || net_.stages[tile.stage].weights.regularized() || net_.stages[tile.stage].biases.regularized()) strip_regularize(1, tile, strip, place);
            if (clips) strip_squares(tile, strip, place);
        });
    });
    take_beside(gradients, worker);
}

template void PanelsEngine<float>::plan_tiles();
template void PanelsEngine<double>::plan_tiles();
template void PanelsEngine<float>::update(const StepRules&, double, Index, Worker);
template void PanelsEngine<float>::keep(Index, InStep, Worker);
template void PanelsEngine<float>::spend(const StepRules&, double, bool, Worker, Barrier&);
template void PanelsEngine<float>::notes(std::vector<Notes>&) const;
template void PanelsEngine<float>::give(const NetworkArrays<float>&, Worker);
template void PanelsEngine<float>::take(const NetworkArrays<float>&, bool, Worker);
template void PanelsEngine<double>::update(const StepRules&, double, Index, Worker);
template void PanelsEngine<double>::keep(Index, InStep, Worker);
template void PanelsEngine<double>::spend(const StepRules&, double, bool, Worker, Barrier&);
template void PanelsEngine<double>::notes(std::vector<Notes>&) const;
template void PanelsEngine<double>::give(const NetworkArrays<double>&, Worker);
template void PanelsEngine<double>::take(const NetworkArrays<double>&, bool, Worker);

}  // namespace chainrule::model::panels
