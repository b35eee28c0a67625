// Engine "panels": the parameters beside weights and biases. Those of learned features and of the columns' factors, below the
// first stage, and the shares of activations; a lot of them is one worker's, from its gradient over all samples to its step.
#include <algorithm>

#include "model/engine_panels.hpp"

namespace chainrule::model::panels {

// --- memory ---------------------------------------------------------------------------------------------------------

template <class T> void PanelsEngine<T>::plan_beside() {
    const Features& features = net_.features;
    const Index batch = net_.batch_size;
    if (features.any()) columns_.plan(arena_, batch, features.n_columns);
    if (features.has_periodic()) periodic_.plan(arena_, batch, features.periodic(0).n_outputs());
    if (features.has_tables()) embedded_.plan(arena_, batch, features.n_outputs());
    if (net_.features_learn()) dfeatures_.plan(arena_, batch, features.n_outputs());
    if (features.has_tables()) arena_.plan(&table_lost_, net_.shape_of_features(tables()).count());
    const auto add = [&](Place place, const Shape& shape) {
        BesideMemory<T> memory;
        memory.place = place;
        memory.count = shape.count();
        memory.room = panels_of<T>(memory.count) * lanes<T>;
        beside_.push_back(memory);
    };
    for (std::size_t i = 0; i < net_.of_features.size(); ++i) add({Place::feature, i}, net_.shape_of_features(i));
    if (net_.scales()) {
        scale_ = beside_.size();
        add({Place::scale, 0}, {1, net_.n_features()});
    }
    for (std::size_t s = 0; s < stages_.size(); ++s)
        if (net_.stages[s].shares.present) {
            stages_[s].shares = beside_.size();
            add({Place::shares, s}, {1, net_.stages[s].n_neurons});
        }
    for (BesideMemory<T>& memory : beside_) {  // they have their places now
        arena_.plan_zeros(&memory.values, memory.room);
        arena_.plan_zeros(&memory.gradient, memory.room);
        if (net_.accumulate > 1) {
            arena_.plan_zeros(&memory.sum, memory.room);
            arena_.plan_zeros(&memory.lost, memory.room);
        }
        for (int i = 0; i < net_.rule_entry().states.count; ++i) arena_.plan_zeros(&memory.states[i], memory.room);
    }
}

// Of what learns. Costs are vector operations for each sample, as those of tiles; `squares`: places that are taken.
template <class T> void PanelsEngine<T>::plan_lots(Index squares) {
    constexpr double cosine_and_sine = 40;
    const Features& features = net_.features;
    beside_squares_ = static_cast<std::size_t>(squares);
    std::size_t square = beside_squares_;
    const auto add = [&](Lot lot) {
        for (Piece& piece : lot.pieces) piece.square = square++;
        lots_cost_ += lot.cost;
        lots_.push_back(std::move(lot));
    };
    const auto panels = [&](std::size_t array, Lot::Kind kind, double cost) {
        const BesideMemory<T>& memory = beside_[array];
        for (Index first = 0; first < memory.count; first += lanes<T>)
            add({kind, first / lanes<T>, memory.place.index, cost, {{array, first, std::min(memory.count - first, lanes<T>), 0}}});
    };
    if (features.has_periodic() && net_.of_features[0].learns)
        for (Index c = 0; c < features.n_periodic; ++c) {
            Lot lot = {Lot::column, c, 0, static_cast<double>(features.n_frequencies) * (cosine_and_sine + 2 * static_cast<double>(features.n_mixed)) / lanes<T>, {}};
            for (std::size_t i = 0; i < 4; ++i) {
                const Index each = beside_[i].count / features.n_periodic;
                lot.pieces.push_back({i, c * each, each, 0});
            }
            add(std::move(lot));
        }
    if (features.has_tables() && net_.of_features[tables()].learns) {
        const EmbeddingShape shape = features.tables(0);
        for (Index k = 0; k < shape.n_codes(); ++k)
            add({Lot::table, k, 0, static_cast<double>(features.width), {{tables(), shape.levels_before(k) * shape.width, shape.sizes[static_cast<std::size_t>(k)] * shape.width, 0}}});
    }
    if (net_.scale_learns()) panels(scale_, Lot::factors, 3);
    for (std::size_t a = 0; a < beside_.size(); ++a)
        if (beside_[a].place.kind == Place::shares && beside_[a].place.in(net_).learns) panels(a, Lot::shares, 5);
}

// --- forward and back -----------------------------------------------------------------------------------------------

// The samples' columns as they are, then through the features, into panels. A code that somebody has changed since it was
// looked at reads nobody else's memory: it is 0.
template <class T> void PanelsEngine<T>::features_forward(const Batch& batch, Index row, Index rows, T* scratch) {
    const Features& features = net_.features;
    if (!batch.same_as_before) {
        gather_inputs(batch, row, rows, columns_.grid(row));
        for (Index r = row; r < row + rows; ++r) {
            T* code = columns_.at(r) + columns_.columns - static_cast<Index>(features.sizes.size());
            for (const Index size : features.sizes) {
                if (!(*code >= 0 && *code < static_cast<T>(size))) *code = 0;
                ++code;
            }
        }
    }
    const RowMajor<T>* last = &columns_;
    if (features.has_periodic()) {
        periodic_rows<T>(features.periodic(rows), {rows, columns_.at(row), columns_.row, feature(0), feature(1), feature(2), feature(3), periodic_.at(row), periodic_.row, scratch});
        last = &periodic_;
    }
    if (features.has_tables()) {
        embed_rows<T>(features.tables(rows), {rows, last->at(row), last->row, feature(tables()), embedded_.at(row), embedded_.row});
        last = &embedded_;
    }
    kernel_.gather({rows, last->columns, last->at(row), number_of<T>, last->row, nullptr, 0, inputs_.grid(row)});
}

// The gradient of the features, row by row: that of their scaled copies times the factors.
template <class T> void PanelsEngine<T>::features_dvalues(Index row, Index rows) {
    const Grid<T> from = dscaled_.grid(row), to = dfeatures_.grid(row);
    if (net_.scales()) return kernel_.scale_columns(rows, dscaled_.columns, constant(from), scale(), to, false);
    for (Index p = 0; p < panels_of<T>(dscaled_.columns); ++p)
        for (Index r = 0; r < rows; ++r) std::copy_n(at(from, r, p).data, lanes<T>, at(to, r, p).data);
}

// output = (1 - share) product + share activated
template <class T> void PanelsEngine<T>::mix_forward(std::size_t s, Index row, Index rows) {
    const StageMemory<T>& memory = stages_[s];
    const BesideMemory<T>& shares = beside_[memory.shares];
    for (Index p = 0; p < panels_of<T>(memory.outputs.columns); ++p) {
        ParametricJob<T> job = {};
        job.rows = rows;
        job.columns = job.row = lanes<T>;
        job.inputs = at(memory.sums.grid(row), 0, p).data;
        job.activated = at(memory.activated.grid(row), 0, p).data;
        job.shares = shares.values + p * lanes<T>;
        job.output = at(memory.outputs.grid(row), 0, p).data;
        kernel_.parametric_forward(job);
    }
}

// The same of the gradients: dproduct = (1 - share) doutput + share (what the activation makes of it), which stands there.
template <class T> void PanelsEngine<T>::mix_backward(std::size_t s, Index row, Index rows) {
    const StageMemory<T>& memory = stages_[s];
    const BesideMemory<T>& shares = beside_[memory.shares];
    for (Index p = 0; p < panels_of<T>(memory.outputs.columns); ++p) {
        T* const dproduct = at(memory.dvalues.grid(row), 0, p).data;
        ParametricJob<T> job = {};
        job.rows = rows;
        job.columns = job.row = lanes<T>;
        job.inputs = at(memory.doutput.grid(row), 0, p).data;
        job.activated = dproduct;
        job.shares = shares.values + p * lanes<T>;
        job.output = dproduct;
        kernel_.parametric_forward(job);
    }
}

// --- gradients over all samples, in order -----------------------------------------------------------------------------

// A worker's lots: those whose middle lies in its share of the cost.
template <class T> template <class Body> void PanelsEngine<T>::for_each_lot(Worker worker, const Body& body) {
    const double from = lots_cost_ * worker.from, to = lots_cost_ * worker.to;
    double before = 0;
    for (const Lot& lot : lots_) {
        const double middle = before + lot.cost / 2;
        if (middle >= from && middle < to) body(lot);
        before += lot.cost;
    }
}

template <class T> void PanelsEngine<T>::lot_gradient(const Lot& lot, Index samples, T* scratch) {
    const Features& features = net_.features;
    const RowMajor<T>& plain = features.has_periodic() ? periodic_ : columns_;
    T* const gradient = beside_[lot.pieces[0].array].gradient + lot.pieces[0].first;
    switch (lot.kind) {
        case Lot::column: {
            const T* sums = periodic_column_gradients<T>(
                features.periodic(samples), {lot.index, columns_.data, columns_.row, dfeatures_.data, dfeatures_.row, feature(0), feature(1), feature(2), nullptr, scratch});
            for (const Piece& piece : lot.pieces) {
                std::copy_n(sums, piece.count, beside_[piece.array].gradient + piece.first);
                sums += piece.count;
            }
            return;
        }
        case Lot::table:
            return embedding_gradients<T>(features.tables(samples), {lot.index, lot.index + 1, plain.data, plain.row, dfeatures_.data, dfeatures_.row}, gradient, table_lost_ + lot.pieces[0].first);
        case Lot::factors: return factors_gradient(lot, samples, scratch);
        case Lot::shares: return shares_gradient(lot, samples, scratch);
    }
}

// Sums of the inputs times the gradient of their scaled copies, for each column of a panel.
template <class T> void PanelsEngine<T>::factors_gradient(const Lot& lot, Index samples, T* scratch) {
    const auto chunk_sum = [&](Index first, Index count, T* place) {
        kernel_.sum_products(count, lanes<T>, constant(at(inputs_.grid(first), 0, lot.index)), constant(at(dscaled_.grid(first), 0, lot.index)), place, false);
    };
    T* const gradient = beside_[scale_].gradient + lot.index * lanes<T>;
    if (samples <= chunk_samples) return chunk_sum(0, samples, gradient);
    Cascade<T> sums(scratch, lanes<T>);
    for_each_chunk(samples, [&](Index first, Index count, bool) {
        chunk_sum(first, count, sums.place());
        sums.add();
    });
    std::copy_n(sums.total(), lanes<T>, gradient);
}

// Sums of doutput * (activated - product) for each neuron of a panel.
template <class T> void PanelsEngine<T>::shares_gradient(const Lot& lot, Index samples, T* scratch) {
    const StageMemory<T>& memory = stages_[lot.stage];
    Cascade<T> sums(scratch, lanes<T>);
    for_each_chunk(samples, [&](Index first, Index count, bool) {
        ParametricJob<T> job = {};
        job.rows = count;
        job.columns = job.row = lanes<T>;
        job.inputs = at(memory.sums.grid(first), 0, lot.index).data;
        job.activated = at(memory.activated.grid(first), 0, lot.index).data;
        job.shares = beside_[memory.shares].values + lot.index * lanes<T>;
        job.dvalues = at(memory.doutput.grid(first), 0, lot.index).data;
        job.sums = sums.place();
        kernel_.parametric_backward(job);
        sums.add();
    });
    std::copy_n(sums.total(), lanes<T>, beside_[memory.shares].gradient + lot.index * lanes<T>);
}

// --- what becomes of them ---------------------------------------------------------------------------------------------

template <class T> void PanelsEngine<T>::piece_update(const UpdateRule& rule, double penalty_factor, const Piece& piece) {
    const BesideMemory<T>& memory = beside_[piece.array];
    UpdateJob<T> job = {};
    job.rule = rule;
    scale_penalties(job.rule, penalty_factor);
    job.n = piece.count;
    job.gradient = memory.gradient + piece.first;
    job.parameter = memory.values + piece.first;
    for (int i = 0; i < net_.rule_entry().states.count; ++i) job.states[i] = memory.states[i] + piece.first;
    kernel_.rules[net_.rule].update(job);
}

template <class T> void PanelsEngine<T>::piece_keep(InStep place, const Piece& piece) {
    const BesideMemory<T>& memory = beside_[piece.array];
    const Index first = piece.first, count = piece.count;
    if (memory.sum && place.first) {
        std::copy_n(memory.gradient + first, count, memory.sum + first);
        std::fill_n(memory.lost + first, count, T(0));
    } else if (memory.sum) {
        add_up(count, memory.gradient + first, memory.sum + first, memory.lost + first);
    }
    if (!place.last) return;
    if (memory.sum) std::copy_n(memory.sum + first, count, memory.gradient + first);
    piece_finish(place.penalty_factor, piece);
}

// A whole gradient gets the penalties' part, and its squares are summed.
template <class T> void PanelsEngine<T>::piece_finish(double penalty_factor, const Piece& piece) {
    const BesideMemory<T>& memory = beside_[piece.array];
    const Parameter& told = memory.place.in(net_);
    T* const gradient = memory.gradient + piece.first;
    kernel_.regularize(piece.count, static_cast<T>(penalty_factor * told.l1), static_cast<T>(penalty_factor * told.l2), memory.values + piece.first, gradient);
    squares_[piece.square] = kernel_.sum_of_squares(piece.count, gradient);
}

// With the squares of the parameters before it and of the step, where they are noted: of panels.
template <class T> void PanelsEngine<T>::piece_spend(const UpdateRule& rule, const Piece& piece, bool noted) {
    if (!noted) return piece_update(rule, 1, piece);
    const T* const values = beside_[piece.array].values + piece.first;
    T step[lanes<T>];
    parameter_squares_[piece.square] = kernel_.sum_of_squares(piece.count, values);
    std::copy_n(values, piece.count, step);
    piece_update(rule, 1, piece);
    for (Index e = 0; e < piece.count; ++e) step[e] = values[e] - step[e];
    step_squares_[piece.square] = kernel_.sum_of_squares(piece.count, step);
}

template <class T> void PanelsEngine<T>::update_beside(const StepRules& rules, double penalty_factor, Index samples, Worker worker) {
    for_each_lot(worker, [&](const Lot& lot) {
        lot_gradient(lot, samples, scratch_of(worker));
        for (const Piece& piece : lot.pieces) piece_update(beside_[piece.array].place.in(rules), penalty_factor, piece);
    });
}

template <class T> void PanelsEngine<T>::keep_beside(Index samples, InStep place, Worker worker) {
    for_each_lot(worker, [&](const Lot& lot) {
        lot_gradient(lot, samples, scratch_of(worker));
        for (const Piece& piece : lot.pieces) piece_keep(place, piece);
    });
}

template <class T> void PanelsEngine<T>::spend_beside(const StepRules& rules, T factor, bool noted, Worker worker) {
    for_each_lot(worker, [&](const Lot& lot) {
        for (const Piece& piece : lot.pieces) {
            T* const gradient = beside_[piece.array].gradient + piece.first;
            for (Index e = 0; e < piece.count; ++e) gradient[e] *= factor;
            piece_spend(beside_[piece.array].place.in(rules), piece, noted);
        }
    });
}

template <class T> void PanelsEngine<T>::give_beside(const NetworkArrays<T>& gradients, Worker worker) {
    for_each_lot(worker, [&](const Lot& lot) {
        for (const Piece& piece : lot.pieces) {
            T* const user = beside_[piece.array].place.in(gradients).values;
            if (user) std::copy_n(beside_[piece.array].gradient + piece.first, piece.count, user + piece.first);
        }
    });
}

template <class T> void PanelsEngine<T>::take_beside(const NetworkArrays<T>& gradients, Worker worker) {
    for_each_lot(worker, [&](const Lot& lot) {
        for (const Piece& piece : lot.pieces) {
            const T* const user = beside_[piece.array].place.in(gradients).values;
            if (!user) continue;
            std::copy_n(user + piece.first, piece.count, beside_[piece.array].gradient + piece.first);
            piece_finish(1, piece);
        }
    });
}

#define CHAINRULE_INSTANTIATE(T)                                                                    \
    template void PanelsEngine<T>::plan_beside();                                                   \
    template void PanelsEngine<T>::plan_lots(Index);                                                \
    template void PanelsEngine<T>::features_forward(const Batch&, Index, Index, T*);                \
    template void PanelsEngine<T>::features_dvalues(Index, Index);                                  \
    template void PanelsEngine<T>::mix_forward(std::size_t, Index, Index);                          \
    template void PanelsEngine<T>::mix_backward(std::size_t, Index, Index);                         \
    template void PanelsEngine<T>::update_beside(const StepRules&, double, Index, Worker);          \
    template void PanelsEngine<T>::keep_beside(Index, InStep, Worker);                              \
    template void PanelsEngine<T>::spend_beside(const StepRules&, T, bool, Worker);                 \
    template void PanelsEngine<T>::give_beside(const NetworkArrays<T>&, Worker);                    \
    template void PanelsEngine<T>::take_beside(const NetworkArrays<T>&, Worker);
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model::panels
