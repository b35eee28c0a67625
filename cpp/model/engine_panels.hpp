// Engine "panels": samples row by row, neurons in the vector lanes, everything in panels of one cache line.
//
// Each worker takes its samples through all layers, forward and back, in blocks that stay in cache; only the weights
// are shared and they do not change, so there is no barrier in between. After one barrier the weights are divided
// among the workers: each finishes the gradient of a tile over all samples, in order, and updates the tile at once.
//
//   weights     panel p: rows 0..n_inputs of `lanes` neurons; row 0 is the bias, the accumulator's first value
//   transposed  panel q: rows 0..n_neurons-1 of `lanes` inputs, for dinputs = dvalues . weights^T
//   outputs     panel p: one row per sample; layer s reads panels of layer s - 1 in all three products
//   sums        what the activation was given, where its derivative needs that; else it takes the outputs' place
//   activated   what it made of them, where each neuron has a share of it; the gradient of the output then stands in doutput
//
// With few samples (skinny) a step is one walk over the weights forward and one back: dinputs are dot products with the
// weights as they stand, so there is no transposed copy, and each gradient is a row of them times few values.
//
// Lanes beyond the last neuron hold weight 0 and gradient 0, also after an update; what they compute is never read.

#pragma once

#include <algorithm>
#include <vector>

#include "model/blocks.hpp"
#include "model/chunks.hpp"
#include "model/grids.hpp"
#include "model/engine.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/memory.hpp"

namespace chainrule::model::panels {

using runtime::Barrier;
using runtime::Range;
using runtime::Worker;

// Panels of inputs whose gradient is made and spent at a time (chosen on `digits`, `rl` and `wide`).
constexpr Index strip_panels = 4;
// Panels of neurons in a tile, on every CPU target.
constexpr Index most_vectors = 4;

template <class T> Grid<T> at(const Grid<T>& grid, Index row, Index panel) {
    return {grid.data ? grid.data + row * grid.row + panel * grid.vec : nullptr, grid.row, grid.vec};
}

// One row of a panel, or what there is of it.
template <class T> void copy_row(const T* source, T* target, Index count) {
    if (count == lanes<T>) std::copy_n(source, lanes<T>, target);  // of known length: no call
    else std::copy_n(source, count, target);
}

// (samples, columns) in panels. Lanes beyond the last column are zero until somebody writes whole vectors there.
template <class T> struct Panels {
    T* data = nullptr;
    Index columns = 0, stride = 0;
    void plan(runtime::Arena& arena, Index rows, Index n_columns) {
        columns = n_columns;
        stride = lines_apart(rows) * lanes<T>;
        arena.plan(&data, panels_of<T>(columns) * stride, columns % lanes<T> ? stride : 0);
    }
    Grid<T> grid(Index row = 0) const { return {data + row * lanes<T>, lanes<T>, stride}; }
};

// (samples, columns) row by row, each from a whole line on: what the features' layers work on.
template <class T> struct RowMajor {
    T* data = nullptr;
    Index columns = 0, row = 0;
    void plan(runtime::Arena& arena, Index rows, Index n_columns) {
        columns = n_columns;
        row = panels_of<T>(columns) * lanes<T>;
        arena.plan(&data, rows * row);
    }
    T* at(Index r) const { return data + r * row; }
    Grid<T> grid(Index r = 0) const { return {at(r), row, lanes<T>}; }
};

// Which elements of (samples, columns) a dropout keeps in this step.
struct Kept {
    std::uint32_t* data = nullptr;
    Index row = 0;  // words of a sample
    void plan(runtime::Arena& arena, Index rows, Index columns) {
        row = (columns + 31) / 32;
        arena.plan(&data, rows * row);
    }
    KeptBits bits(Index sample) const { return {data + sample * row, row, 1}; }
};

template <class T> struct StageMemory {
    Panels<T> outputs, dvalues;
    Panels<T> sums;              // where the activation's derivative is written in them
    Panels<T> activated, doutput;  // with shares
    std::size_t shares = 0;        // their place among the arrays beside
    Kept kept;                   // with dropout
    Panels<T> dropped;           // outputs * mask, which feed the next layer, where the outputs must stay
    T *weights = nullptr, *transposed = nullptr, *gradient = nullptr, *states[most_states] = {};
    T* lost = nullptr;           // by the sums of several batches' gradients
    Index panel = 0;             // elements of a panel of weights
    Index transposed_panel = 0;
    Index parameters = 0;        // elements of all panels
    Index squares = 0;           // its first place among the sums of squares
    bool streams = false;        // weights do not stay in L2: fetch them ahead
};

// A tile of weights: `vectors` panels from `panel`, the rows of some panels of inputs and perhaps the biases.
struct Tile {
    std::size_t stage;
    Index panel, vectors, first_input_panel, last_input_panel;
    bool bias;
    double cost;
};

// Rows of a tile: those from one panel of inputs on, or the row of biases.
struct Strip {
    Index input_panel;  // -1: biases
    Index rows;
    bool biases() const { return input_panel < 0; }
    template <class T> Index first_row() const { return biases() ? 0 : 1 + input_panel * lanes<T>; }
};

// An array of parameters beside the weights and biases, as the user has it: one of the features, the factors of columns, the
// shares of a stage's activation.
struct Place {
    enum Kind { feature, scale, shares } kind;
    std::size_t index;  // of the feature's parameter or of the stage
    template <class Each> auto& in(Each& each) const { return kind == feature ? each.features[index] : kind == scale ? each.scale : each.stages[index].shares; }
    const Parameter& in(const Network& network) const { return kind == feature ? network.of_features[index] : kind == scale ? network.scale : network.stages[index].shares; }
};
template <class T> struct BesideMemory {
    Place place;
    Index count = 0, room = 0;  // elements, and with the lanes behind the last one
    T *values = nullptr, *gradient = nullptr, *states[most_states] = {};
    T *sum = nullptr, *lost = nullptr;  // of the gradients of several batches
};

// What a worker finishes at a time of them: the features of a column, a table, a panel of factors or of shares.
struct Piece {
    std::size_t array;
    Index first, count;
    std::size_t square;  // its place among the sums of squares
};
struct Lot {
    enum Kind { column, table, factors, shares } kind;
    Index index;  // of the column, the table, the panel
    std::size_t stage;
    double cost;
    std::vector<Piece> pieces;
};

template <class T> class PanelsEngine final : public Engine<T> {
  public:
    explicit PanelsEngine(const Network& network);

    void load(const NetworkArrays<T>& arrays) override;
    void store(const NetworkArrays<T>& arrays) const override;
    void pass(const Batch& batch, Worker worker, Barrier& barrier) override;
    void update(const StepRules& rules, double penalty_factor, Index samples, Worker worker) override;
    void keep(Index samples, InStep place, Worker worker) override;
    void spend(const StepRules& rules, double clip_norm, bool noted, Worker worker, Barrier& barrier) override;
    void notes(std::vector<Notes>& found) const override;
    void give(const NetworkArrays<T>& gradients, Worker worker) override;
    void take(const NetworkArrays<T>& gradients, bool clips, Worker worker) override;
    void reserve_best() override;
    void keep_best() override;
    void store_best(const NetworkArrays<T>& arrays) override;
    double penalty() const override;
    void reserve(int workers) override {
        const std::size_t wanted = static_cast<std::size_t>(workers * scratch_elements()) * sizeof(T);
        if (scratch_.bytes() < wanted) scratch_ = runtime::Block(wanted);
        if (net_.noted) alive_.resize(static_cast<std::size_t>(workers * units(stages_.size())));
    }
    std::size_t bytes() const override { return arena_.bytes() + scratch_.bytes() + best_.bytes(); }
    // Smaller steps lose more by moving cache lines between cores than they gain (measured on `digits` and `rl`, batches 32 to 256).
    bool uses_threads() const override { return step_flops(net_) >= 8e6 || runtime::team_is_forced(); }

  private:
    Index scratch_elements() const {
        const int levels = Cascade<T>::levels((net_.batch_size + group_samples - 1) / group_samples);
        const Index features = net_.features.has_periodic() ? periodic_gradient_scratch<T>(net_.features.periodic(net_.batch_size)) : 0;
        const Index panel = Cascade<T>::levels((net_.batch_size + chunk_samples - 1) / chunk_samples) * lanes<T>;  // of factors or shares
        return std::max({3 * lanes<T> * largest_width_, levels * strip_panels * most_vectors * lanes<T> * lanes<T>, features, panel});
    }
    T* scratch_of(Worker worker) const { return static_cast<T*>(scratch_.data()) + worker.index * scratch_elements(); }
    void gather(const Batch& batch, Index row, Index rows, T* scratch);
    void gather_inputs(const Batch& batch, Index row, Index rows, const Grid<T>& place);
    void forward(const Batch& batch, std::size_t s, Index row, Index rows, Worker worker);
    void look(const Batch& batch, std::size_t s, Index row, Index rows, Worker worker);
    void note_alive(std::size_t s, Index row, Index rows, Worker worker);
    void see(const Grid<T>& values, Index columns, Index row, Index rows, T* place) const;
    void loss(const Batch& batch, Index row, Index rows, T* scratch);
    void backward(const Batch& batch, std::size_t s, Index row, Index rows, T* scratch);
    void draw(std::size_t layer, const Dropout& dropout, const Batch& batch, const Kept& kept, Index row, Index rows, Index columns);
    void drop(const Panels<T>& values, const Kept& kept, T factor, const Panels<T>& dropped, Index row, Index rows);
    void plan_tiles();
    void skinny_dinputs(std::size_t s, Index row, Index rows);
    void packed_dinputs(const Batch& batch, std::size_t s, Index row, Index rows);
    // Where a strip's kept gradient is, of single panels of inputs.
    Index kept_at(const Tile& tile, const Strip& strip) const {
        return tile.panel * stages_[tile.stage].panel + strip.first_row<T>() * (strip.biases() ? 1 : tile.vectors) * lanes<T>;
    }
    static bool few(const Batch& batch) { return batch.rows <= few_samples; }
    bool skinny() const { return net_.batch_size <= few_samples; }
    void strip_gradient(const Tile& tile, const Strip& strip, Index samples, T* gradient, T* room);
    void strip_update(const StepRules& rules, double penalty_factor, const Tile& tile, const Strip& strip, const T* gradient);
    void strip_regularize(double penalty_factor, const Tile& tile, const Strip& strip, T* gradient);
    void strip_squares(const Tile& tile, const Strip& strip, const T* gradient);
    void spend_noted(const StepRules& rules, const Tile& tile, const Strip& strip, const T* gradient);
    Squares sums_of(std::size_t s, const std::vector<double>& squares) const;
    template <class Body> void for_each_strip(const Tile& tile, Index input_panels_each, const Body& body) const;
    template <class Body> void for_each_tile(Worker worker, const Body& body);
    // The arrays beside the weights and biases: engine_panels_beside.cpp.
    void plan_beside();
    void plan_lots(Index squares);
    void features_forward(const Batch& batch, Index row, Index rows, T* scratch);
    void features_dvalues(Index row, Index rows);
    void mix_forward(std::size_t s, Index row, Index rows);
    void mix_backward(std::size_t s, Index row, Index rows);
    template <class Body> void for_each_lot(Worker worker, const Body& body);
    void lot_gradient(const Lot& lot, Index samples, T* scratch);
    void factors_gradient(const Lot& lot, Index samples, T* scratch);
    void shares_gradient(const Lot& lot, Index samples, T* scratch);
    void piece_update(const UpdateRule& rule, double penalty_factor, const Piece& piece);
    void piece_keep(InStep place, const Piece& piece);
    void piece_finish(double penalty_factor, const Piece& piece);
    void piece_spend(const UpdateRule& rule, const Piece& piece, bool noted);
    void update_beside(const StepRules& rules, double penalty_factor, Index samples, Worker worker);
    void keep_beside(Index samples, InStep place, Worker worker);
    void spend_beside(const StepRules& rules, T factor, bool noted, Worker worker);
    void give_beside(const NetworkArrays<T>& gradients, Worker worker);
    void take_beside(const NetworkArrays<T>& gradients, Worker worker);
    T* scale() const { return scale_ < beside_.size() ? beside_[scale_].values : nullptr; }
    T* feature(std::size_t i) const { return beside_[i].values; }
    // The table's; behind those of periodic features.
    std::size_t tables() const { return net_.of_features.size() - 1; }

    template <class Body> void for_each_array(const NetworkArrays<T>& arrays, const Body& body) const;
    template <class Body> void move_parameters(const Body& body) const;
    // Calls body(parameters, count, place in best_) for each stage and what stands beside.
    template <class Body> void for_each_best(const Body& body) {
        T* place = static_cast<T*>(best_.data());
        for (StageMemory<T>& memory : stages_) {
            body(memory.weights, memory.parameters, place);
            place += memory.parameters;
        }
        for (BesideMemory<T>& memory : beside_) {
            body(memory.values, memory.room, place);
            place += memory.room;
        }
    }

    const Panels<T>& product_of(std::size_t s) const { return stages_[s].sums.data ? stages_[s].sums : stages_[s].outputs; }
    // The activation stands in the product's own epilogue.
    bool in_tile(std::size_t s) const { return net_.activates_in_product(s); }
    // Of the stages below s.
    Index units(std::size_t s) const {
        Index sum = 0;
        while (s-- > 0) sum += net_.stages[s].n_neurons;
        return sum;
    }
    // Gradient of stage s's output; with a derivative between, that of its product takes its place or stands apart.
    const Panels<T>& doutput_of(std::size_t s) const { return stages_[s].doutput.data ? stages_[s].doutput : stages_[s].dvalues; }
    const Panels<T>& dinputs_of(std::size_t s) const { return s > 0 ? doutput_of(s - 1) : dscaled_; }
    // What the derivative of stage s's activation is written in.
    const Panels<T>& saved_of(std::size_t s) const {
        const StageMemory<T>& memory = stages_[s];
        return net_.stages[s].entry().needs_inputs ? memory.sums : memory.activated.data ? memory.activated : memory.outputs;
    }

    Grid<T> inputs_of(std::size_t s, bool training) const {
        const Panels<T>& plain = s > 0 ? stages_[s - 1].outputs : net_.scales() ? scaled_ : inputs_;
        const Panels<T>& dropped = s > 0 ? stages_[s - 1].dropped : input_dropped_;
        return training && dropped.data ? dropped.grid() : plain.grid();
    }

    const Network net_;
    const Kernels<T>& kernel_;
    const Blocks<T> blocks_;
    runtime::Arena arena_;
    runtime::Block scratch_;  // per worker
    runtime::Block best_;     // the parameters of the best epoch, all panels one behind the other, then the scale
    Panels<T> inputs_, input_dropped_, targets_;
    Kept input_kept_;
    Panels<T> scaled_, dscaled_;  // inputs times their factors, and the gradient of that
    RowMajor<T> columns_, periodic_, embedded_, dfeatures_;  // the samples' columns, what the features make of them; its gradient
    T* table_lost_ = nullptr;  // by the sums of the tables' gradients
    std::vector<BesideMemory<T>> beside_;
    std::vector<Lot> lots_;
    double lots_cost_ = 0;
    std::size_t scale_ = ~std::size_t(0);  // its place among them, if there is one
    std::vector<StageMemory<T>> stages_;
    std::int64_t* labels_ = nullptr;
    T* sample_scale_ = nullptr;
    std::vector<Tile> tiles_;
    double total_cost_ = 0;
    std::vector<double> squares_;  // of kept gradients: of each panel by each panel of inputs, biases first; then of the pieces beside
    std::size_t beside_squares_ = 0;  // their first place
    std::vector<double> step_squares_, parameter_squares_;  // the same of a step that is noted
    std::vector<unsigned char> alive_;  // of each worker the units of all stages: whether they gave anything but 0
    int noting_ = 1;                    // workers of the last pass that was noted
    Index largest_width_ = 0;
};

}  // namespace chainrule::model::panels
