// Engine "panels": samples row by row, neurons in the vector lanes, everything in panels of one cache line.
//
// Each worker takes its samples through all layers, forward and back, in blocks that stay in cache; only the weights
// are shared and they do not change, so there is no barrier in between. After one barrier the weights are divided
// among the workers: each finishes the gradient of a tile over all samples, in order, and updates the tile at once.
//
//   weights     panel p: rows 0..n_inputs of `lanes` neurons; row 0 is the bias, the accumulator's first value
//   transposed  panel q: rows 0..n_neurons-1 of `lanes` inputs, for dinputs = dvalues . weights^T
//   outputs     panel p: one row per sample; layer s reads panels of layer s - 1 in all three products
//
// With few samples (skinny) a step is one walk over the weights forward and one back: dinputs are dot products with the
// weights as they stand, so there is no transposed copy, and each gradient is made where it is spent.
//
// Lanes beyond the last neuron hold weight 0 and gradient 0; what they compute is never read.

#include <algorithm>
#include <cmath>

#include "model/plan.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/memory.hpp"

namespace chainrule::model {
namespace {

using runtime::Barrier;
using runtime::Range;
using runtime::Worker;

// Samples a worker takes through the layers at a time: each strip of weights is read once per block (chosen on `wide`).
constexpr Index block_rows = 512;
// Inner length of one pass over a product: a strip of two weight panels then stays in L1 (chosen on `wide`).
constexpr Index inner_block = 256;
// Samples in one pass of the gradient product; the partial tile waits in L1 meanwhile (chosen on `huge`).
constexpr Index sample_block = 256;

// Weights of this size leave L2 between two uses (chosen on `wide`).
constexpr Index streamed_bytes = 768 * 1024;

// Panels of inputs in a tile of weights: they stay in cache while the panels of dvalues pass by; and of these so many at
// a time have their gradient made and spent (chosen on `digits`, `rl` and `wide`).
constexpr Index tile_panels = 8, part_panels = 4;
// Panels of neurons in a tile, on every CPU target.
constexpr Index most_vectors = 4;

template <class T> Index panels_of(Index columns) { return (columns + lanes<T> - 1) / lanes<T>; }
template <class T> Grid<const T> constant(const Grid<T>& grid) { return {grid.data, grid.row, grid.vec}; }
template <class T> Grid<T> at(const Grid<T>& grid, Index row, Index panel) {
    return {grid.data ? grid.data + row * grid.row + panel * grid.vec : nullptr, grid.row, grid.vec};
}

// (samples, columns) in panels; one row of padding keeps panels off the same cache sets.
template <class T> struct Panels {
    T* data = nullptr;
    Index columns = 0, stride = 0;
    void plan(runtime::Arena& arena, Index rows, Index n_columns) {
        columns = n_columns;
        stride = (rows | 1) * lanes<T>;
        arena.plan(&data, panels_of<T>(columns) * stride);
    }
    Grid<T> grid(Index row = 0) const { return {data + row * lanes<T>, lanes<T>, stride}; }
};

template <class T> struct StageMemory {
    Panels<T> outputs, dvalues;
    Panels<T> mask, dropped;     // with dropout: dropped = outputs * mask feeds the next layer
    T *weights = nullptr, *transposed = nullptr, *momentums = nullptr, *cache = nullptr, *gradient = nullptr;
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
struct Part {
    Index input_panel;  // -1: biases
    Index rows;
    bool biases() const { return input_panel < 0; }
    template <class T> Index first_row() const { return biases() ? 0 : 1 + input_panel * lanes<T>; }
};

template <class T> class PanelsEngine final : public Engine<T> {
  public:
    explicit PanelsEngine(const Network& network);

    void load(const std::vector<StageArrays<T>>& arrays) override;
    void store(const std::vector<StageArrays<T>>& arrays) const override;
    void pass(const Batch& batch, Worker worker, Barrier& barrier) override;
    void update(const UpdateRule& rule, double clip_norm, Index samples, Worker worker, Barrier& barrier) override;
    double penalty() const override;
    void reserve(int workers) override {
        const std::size_t wanted = static_cast<std::size_t>(workers * scratch_elements()) * sizeof(T);
        if (scratch_.bytes() < wanted) scratch_ = runtime::Block(wanted);
    }
    std::size_t bytes() const override { return arena_.bytes() + scratch_.bytes(); }
    // Smaller steps lose more by moving cache lines between cores than they gain (measured on `digits` and `rl`, batches 32 to 256).
    bool uses_threads() const override { return step_flops(net_) >= 8e6 || runtime::team_is_forced(); }

  private:
    Index scratch_elements() const { return 3 * lanes<T> * largest_width_; }
    void gather(const Batch& batch, Index row, Index rows);
    void forward(const Batch& batch, std::size_t s, Index row, Index rows, T* scratch);
    void loss(const Batch& batch, Index row, Index rows, T* scratch);
    void backward(const Batch& batch, std::size_t s, Index row, Index rows, T* scratch);
    void drop(const Dropout& dropout, const Batch& batch, const Panels<T>& values, const Panels<T>& mask, const Panels<T>& dropped, Index row, Index rows);
    void multiply(const Panels<T>& values, const Panels<T>& mask, const Panels<T>& output, Index row, Index rows);
    void plan_tiles();
    void skinny_dinputs(std::size_t s, Index row, Index rows);
    void skinny_update(const UpdateRule& rule, const Tile& tile, Index samples);
    void clipped_update(const UpdateRule& rule, double clip_norm, Index samples, Worker worker, Barrier& barrier);
    static bool few(const Batch& batch) { return batch.rows <= few_samples; }
    bool skinny() const { return net_.batch_size <= few_samples; }
    void fetch_part(const Tile& tile, const Part& part) const;
    void part_gradient(const Tile& tile, const Part& part, Index samples, T* gradient);
    void part_update(const UpdateRule& rule, const Tile& tile, const Part& part, const T* gradient);
    void part_regularize(const Tile& tile, const Part& part, T* gradient);
    void part_squares(const Tile& tile, const Part& part, const T* gradient);
    template <class Body> void for_each_part(const Tile& tile, Index input_panels_each, const Body& body) const;
    template <class Body> void for_each_tile(Worker worker, const Body& body);
    template <class Body> void for_each_array(const std::vector<StageArrays<T>>& arrays, const Body& body) const;
    template <class Body> void move_parameters(const Body& body) const;

    Grid<T> inputs_of(std::size_t s, bool training) const {
        const Panels<T>& plain = s > 0 ? stages_[s - 1].outputs : inputs_;
        const Panels<T>& dropped = s > 0 ? stages_[s - 1].dropped : input_dropped_;
        return training && dropped.data ? dropped.grid() : plain.grid();
    }

    const Network net_;
    const Kernels<T>& kernel_;
    runtime::Arena arena_;
    runtime::Block scratch_;  // per worker
    Panels<T> inputs_, input_mask_, input_dropped_, targets_;
    std::vector<StageMemory<T>> stages_;
    std::int64_t* labels_ = nullptr;
    T* sample_scale_ = nullptr;
    std::vector<Tile> tiles_;
    double total_cost_ = 0;
    std::vector<double> squares_;  // with clipping: of each panel by each panel of inputs, biases first
    Index largest_width_ = 0;
};

template <class T> PanelsEngine<T>::PanelsEngine(const Network& network) : net_(network), kernel_(runtime::kernels<T>()), stages_(network.stages.size()) {
    const Index batch = net_.batch_size;
    inputs_.plan(arena_, batch, net_.stages.front().n_inputs);
    if (net_.input_dropout.keep < 1) {
        input_mask_.plan(arena_, batch, inputs_.columns);
        input_dropped_.plan(arena_, batch, inputs_.columns);
    }
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        StageMemory<T>& memory = stages_[s];
        memory.outputs.plan(arena_, batch, stage.n_neurons);
        memory.dvalues.plan(arena_, batch, stage.n_neurons);
        if (stage.dropout.keep < 1) {
            memory.mask.plan(arena_, batch, stage.n_neurons);
            memory.dropped.plan(arena_, batch, stage.n_neurons);
        }
        memory.panel = (stage.n_inputs + 1) * lanes<T>;
        memory.parameters = panels_of<T>(stage.n_neurons) * memory.panel;
        memory.streams = memory.parameters * static_cast<Index>(sizeof(T)) >= streamed_bytes;
        arena_.plan(&memory.weights, memory.parameters);
        if (uses_momentums(net_.rule)) arena_.plan(&memory.momentums, memory.parameters);
        if (uses_cache(net_.rule)) arena_.plan(&memory.cache, memory.parameters);
        if (net_.clips) arena_.plan(&memory.gradient, memory.parameters);
        memory.transposed_panel = (stage.n_neurons | 1) * lanes<T>;
        if (s > 0 && !skinny()) arena_.plan(&memory.transposed, panels_of<T>(stage.n_inputs) * memory.transposed_panel);
        largest_width_ = std::max({largest_width_, stage.n_neurons, stage.n_inputs});
    }
    if (!net_.labels) targets_.plan(arena_, batch, net_.stages.back().n_neurons);
    else arena_.plan(&labels_, batch);
    arena_.plan(&sample_scale_, batch);
    arena_.plan(&this->sample_losses_, batch);
    arena_.plan(&this->hits_, batch);
    arena_.allocate();
    plan_tiles();
}

// --- parameters -------------------------------------------------------------------------------------------------

// Calls body(stage, packed array, user's weights, user's biases) for weights, momentums and cache.
template <class T> template <class Body> void PanelsEngine<T>::for_each_array(const std::vector<StageArrays<T>>& arrays, const Body& body) const {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const StageMemory<T>& memory = stages_[s];
        body(s, memory.weights, arrays[s].weights, arrays[s].biases);
        if (memory.momentums) body(s, memory.momentums, arrays[s].weight_momentums, arrays[s].bias_momentums);
        if (memory.cache) body(s, memory.cache, arrays[s].weight_cache, arrays[s].bias_cache);
    }
}

// Runs body(worker) on as many threads as moving all parameters is worth.
template <class T> template <class Body> void PanelsEngine<T>::move_parameters(const Body& body) const {
    constexpr double flops_each = 100;  // a parameter takes about a nanosecond
    double parameters = 0;
    for (const StageMemory<T>& memory : stages_) parameters += static_cast<double>(memory.parameters);
    runtime::run_team(runtime::threads_for_call(flops_each * parameters), body);
}

template <class T> void PanelsEngine<T>::load(const std::vector<StageArrays<T>>& arrays) {
    move_parameters([&](Worker worker) {
        for_each_array(arrays, [&](std::size_t s, T* packed, const T* weights, const T* biases) {
            const Index d = net_.stages[s].n_inputs, m = net_.stages[s].n_neurons, panel = stages_[s].panel;
            const bool is_double = sizeof(T) == sizeof(double);
            const Range mine = runtime::share(m, lanes<T>, worker);
            const Index count = mine.last - mine.first;
            if (count == 0) return;
            T* const start = packed + mine.first / lanes<T> * panel;
            kernel_.gather({1, count, biases + mine.first, is_double, m, nullptr, 0, {start, lanes<T>, panel}});
            kernel_.gather({d, count, weights + mine.first, is_double, m, nullptr, 0, {start + lanes<T>, lanes<T>, panel}});
        });
        for (std::size_t s = 1; s < stages_.size() && !skinny(); ++s) {
            const Stage& stage = net_.stages[s];
            const Range mine = runtime::share(stage.n_inputs, lanes<T>, worker);
            for (Index i = mine.first; i < mine.last; i += lanes<T>)
                kernel_.transpose(std::min(stage.n_inputs - i, lanes<T>), stage.n_neurons, {arrays[s].weights + i * stage.n_neurons, stage.n_neurons, lanes<T>},
                                  {stages_[s].transposed + i / lanes<T> * stages_[s].transposed_panel, lanes<T>, lanes<T>});
        }
    });
}

// One row of a panel, or what there is of it.
template <class T> void copy_row(const T* source, T* target, Index count) {
    if (count == lanes<T>) std::copy_n(source, lanes<T>, target);  // of known length: no call
    else std::copy_n(source, count, target);
}

template <class T> void PanelsEngine<T>::store(const std::vector<StageArrays<T>>& arrays) const {
    move_parameters([&](Worker worker) {
        for_each_array(arrays, [&](std::size_t s, const T* packed, T* weights, T* biases) {
            constexpr Index rows_each = 8;  // of the user's array, written side by side: long rows fall on the same cache sets
            const Index d = net_.stages[s].n_inputs, m = net_.stages[s].n_neurons;
            const Range mine = runtime::share(d, rows_each, worker);
            for (Index first = 0; worker.index == 0 && first < m; first += lanes<T>)
                copy_row(packed + first / lanes<T> * stages_[s].panel, biases + first, std::min(m - first, lanes<T>));
            for (Index row = mine.first; row < mine.last; row += rows_each)
                for (Index first = 0; first < m; first += lanes<T>) {
                    const T* const panel = packed + first / lanes<T> * stages_[s].panel + lanes<T>;
                    for (Index i = row; i < std::min(row + rows_each, mine.last); ++i) copy_row(panel + i * lanes<T>, weights + i * m + first, std::min(m - first, lanes<T>));
                }
        });
    });
}

template <class T> double PanelsEngine<T>::penalty() const {
    double total = 0;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = net_.stages[s];
        if (!stage.regularized()) continue;
        for (Index first = 0; first < stage.n_neurons; first += lanes<T>) {
            const T* panel = stages_[s].weights + first / lanes<T> * stages_[s].panel;
            const Index count = std::min(stage.n_neurons - first, lanes<T>);
            total += penalty_of(panel, count, stage.bias_l1, stage.bias_l2);
            for (Index i = 1; i <= stage.n_inputs; ++i) total += penalty_of(panel + i * lanes<T>, count, stage.weight_l1, stage.weight_l2);
        }
    }
    return total;
}

// --- forward and backward: each worker its own samples ------------------------------------------------------------

template <class T> void PanelsEngine<T>::pass(const Batch& batch, Worker worker, Barrier& barrier) {
    const Range mine = runtime::share(batch.rows, 1, worker);
    T* const scratch = static_cast<T*>(scratch_.data()) + worker.index * scratch_elements();
    const Index blocks = (mine.last - mine.first + block_rows - 1) / block_rows;
    for (Index b = 0, row = mine.first; b < blocks; ++b) {
        const Index rows = (mine.last - row + (blocks - b) - 1) / (blocks - b);
        gather(batch, row, rows);
        for (std::size_t s = 0; s < stages_.size(); ++s) forward(batch, s, row, rows, scratch);
        loss(batch, row, rows, scratch);
        if (batch.training)
            for (std::size_t s = stages_.size(); s-- > 0;) backward(batch, s, row, rows, scratch);
        row += rows;
    }
    barrier.wait();
}

template <class T> void PanelsEngine<T>::gather(const Batch& batch, Index row, Index rows) {
    if (!batch.same_as_before) {
        const Index d = inputs_.columns;
        kernel_.gather({rows, d, batch.inputs, batch.inputs_double, d, batch.order, batch.first + row, inputs_.grid(row)});
        if (labels_)
            for (Index r = row; r < row + rows; ++r) labels_[r] = batch.labels[batch.place(r)];
        else
            kernel_.gather({rows, targets_.columns, batch.targets, batch.targets_double, targets_.columns, batch.order, batch.first + row, targets_.grid(row)});
    }
    if (batch.weights) {
        const double total = batch.total_weight();
        for (Index r = row; r < row + rows; ++r) sample_scale_[r] = static_cast<T>(batch.weights[batch.place(r)] / total);
    }
    if (batch.training && net_.input_dropout.keep < 1) drop(net_.input_dropout, batch, inputs_, input_mask_, input_dropped_, row, rows);
}

template <class T> void PanelsEngine<T>::forward(const Batch& batch, std::size_t s, Index row, Index rows, T* scratch) {
    const Stage& stage = net_.stages[s];
    const StageMemory<T>& memory = stages_[s];
    const Grid<const T> a = constant(at(inputs_of(s, batch.training), row, 0));
    const Grid<T> output = memory.outputs.grid(row);
    for (Index first = 0; first < stage.n_inputs; first += inner_block) {
        const Index count = std::min(stage.n_inputs - first, inner_block);
        const Grid<const T> start = first ? constant(output) : Grid<const T>{memory.weights, 0, memory.panel};
        const bool relu = stage.activation == Activation::relu && first + count == stage.n_inputs;
        kernel_.product({rows, count, stage.n_neurons, at(a, 0, first / lanes<T>),
                         {memory.weights + (first + 1) * lanes<T>, lanes<T>, memory.panel}, start, output, true, relu, memory.streams});
    }
    if (stage.activation == Activation::softmax) {
        const bool joint = net_.loss == Loss::softmax_crossentropy && s + 1 == stages_.size();
        if (!joint)
            kernel_.softmax_forward(rows, stage.n_neurons, constant(output), output, scratch, false, true);
    } else if (stage.activation != Activation::relu && stage.activation != Activation::linear) {
        for (Index p = 0; p < panels_of<T>(stage.n_neurons); ++p)
            kernel_.activation_forward(stage.activation, rows * lanes<T>, at(output, 0, p).data, at(output, 0, p).data);
    }
    if (batch.training && stage.dropout.keep < 1) drop(stage.dropout, batch, memory.outputs, memory.mask, memory.dropped, row, rows);
}

template <class T> void PanelsEngine<T>::loss(const Batch& batch, Index row, Index rows, T* scratch) {
    const StageMemory<T>& last = stages_.back();
    LossJob<T> job = {};
    job.loss = net_.loss;
    job.metric = net_.metric;
    job.rows = rows;
    job.cols = last.outputs.columns;
    job.output = last.outputs.grid(row);
    if (labels_) job.labels = labels_ + row;
    else job.targets = constant(targets_.grid(row));
    job.sample_losses = this->sample_losses_ + row;
    job.hits = this->hits_ + row;
    if (batch.training) job.dvalues = last.dvalues.grid(row);
    job.scale = static_cast<T>(1.0 / static_cast<double>(batch.rows));
    if (batch.weights) job.sample_scale = sample_scale_ + row;
    job.precision = net_.precision;
    job.scratch = scratch;
    job.padded = true;
    kernel_.loss(job);
}

// From the gradient of stage s's output to that of its product, then to that of stage s - 1's output.
template <class T> void PanelsEngine<T>::backward(const Batch& batch, std::size_t s, Index row, Index rows, T* scratch) {
    const Stage& stage = net_.stages[s];
    const StageMemory<T>& memory = stages_[s];
    const Grid<T> dvalues = memory.dvalues.grid(row);
    const Grid<T> output = memory.outputs.grid(row);
    const bool dropped = batch.training && stage.dropout.keep < 1;
    if (dropped) multiply(memory.dvalues, memory.mask, memory.dvalues, row, rows);
    if (stage.activation == Activation::softmax) {
        if (net_.loss != Loss::softmax_crossentropy || s + 1 != stages_.size())
            kernel_.softmax_backward(rows, stage.n_neurons, constant(dvalues), constant(output), dvalues, scratch, false, true);
    } else if (stage.activation != Activation::linear && !(s + 1 < stages_.size() && ends_in_derivative(stage) && !few(batch))) {
        for (Index p = 0; p < panels_of<T>(stage.n_neurons); ++p)
            kernel_.activation_backward(stage.activation, rows * lanes<T>, at(dvalues, 0, p).data, at(output, 0, p).data, at(dvalues, 0, p).data);
    }
    if (s == 0) return;
    if (few(batch)) return skinny_dinputs(s, row, rows);
    const Grid<T> dinputs = stages_[s - 1].dvalues.grid(row);
    for (Index first = 0; first < stage.n_neurons; first += inner_block) {
        const Index count = std::min(stage.n_neurons - first, inner_block);
        Product<T> job = {rows, count, stage.n_inputs, constant(at(dvalues, 0, first / lanes<T>)), {memory.transposed + first * lanes<T>, lanes<T>, memory.transposed_panel},
                          first ? constant(dinputs) : Grid<const T>{nullptr, 0, 0}, dinputs, true, false, memory.streams};
        if (first + count == stage.n_neurons && ends_in_derivative(net_.stages[s - 1])) {
            job.derivative = net_.stages[s - 1].activation;
            job.activated = constant(stages_[s - 1].outputs.grid(row));
        }
        kernel_.product(job);
    }
}

// dinputs = dvalues . weights^T, one sample at a time: `lanes` rows of weights by one row of dvalues.
template <class T> void PanelsEngine<T>::skinny_dinputs(std::size_t s, Index row, Index rows) {
    const Stage& stage = net_.stages[s];
    const StageMemory<T>& memory = stages_[s];
    for (Index q = 0; q < panels_of<T>(stage.n_inputs); ++q)
        for (Index r = row; r < row + rows; ++r)
            kernel_.product_nt({std::min(stage.n_inputs - q * lanes<T>, lanes<T>), stage.n_neurons, 1,
                                {memory.weights + (1 + q * lanes<T>) * lanes<T>, lanes<T>, memory.panel}, constant(memory.dvalues.grid(r)), {nullptr, 0, 0},
                                {at(stages_[s - 1].dvalues.grid(r), 0, q).data, 1, lanes<T>}, true, false, false});
}

// dropped = values * a fresh mask; element (r, c) of the batch is number r * columns + c of the step's stream.
template <class T>
void PanelsEngine<T>::drop(const Dropout& dropout, const Batch& batch, const Panels<T>& values, const Panels<T>& mask,
                           const Panels<T>& dropped, Index row, Index rows) {
    for (Index r = row; r < row + rows; ++r)
        for (Index c = 0; c < values.columns; c += lanes<T>)
            kernel_.dropout_mask(std::min(values.columns - c, lanes<T>), dropout.keep, dropout.key, dropout.step + batch.step,
                                 static_cast<std::uint64_t>(r * values.columns + c), mask.data + c / lanes<T> * mask.stride + r * lanes<T>);
    multiply(values, mask, dropped, row, rows);
}

template <class T>
void PanelsEngine<T>::multiply(const Panels<T>& values, const Panels<T>& mask, const Panels<T>& output, Index row, Index rows) {
    for (Index p = 0; p < panels_of<T>(values.columns); ++p) {
        const Index place = p * values.stride + row * lanes<T>;
        kernel_.multiply(rows * lanes<T>, values.data + place, mask.data + place, output.data + place);
    }
}

// --- gradient and update: each worker its own weights -------------------------------------------------------------

// All weights, cut into tiles of a few panels by a few panels; a tile's cost is its share of the gradient product.
// A block of input panels stays in cache while the panels of dvalues pass by.
template <class T> void PanelsEngine<T>::plan_tiles() {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        const Index panels = panels_of<T>(net_.stages[s].n_neurons), input_panels = panels_of<T>(net_.stages[s].n_inputs);
        const Index step = kernel_.product_tn_vectors;
        for (Index q = 0; q < input_panels; q += tile_panels) {
            const Index last = std::min(q + tile_panels, input_panels);
            const Index inputs = std::min(last * lanes<T>, net_.stages[s].n_inputs) - q * lanes<T>;
            for (Index p = 0; p < panels;) {
                // 4 panels go as 2 + 2
                const Index vectors = panels - p == 4 && step == 3 ? 2 : std::min(panels - p, step);
                tiles_.push_back({s, p, vectors, q, last, q == 0, static_cast<double>((inputs + 2) * (vectors + 1))});
                p += vectors;
            }
        }
    }
    for (const Tile& tile : tiles_) total_cost_ += tile.cost;
    if (!net_.clips) return;
    Index squares = 0;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
        stages_[s].squares = squares;
        squares += panels_of<T>(net_.stages[s].n_neurons) * (1 + panels_of<T>(net_.stages[s].n_inputs));
    }
    squares_.resize(static_cast<std::size_t>(squares));
}

// A worker's tiles: those whose middle lies in its share of the cost.
template <class T> template <class Body> void PanelsEngine<T>::for_each_tile(Worker worker, const Body& body) {
    const double from = total_cost_ * worker.index / worker.count, to = total_cost_ * (worker.index + 1) / worker.count;
    double before = 0;
    for (std::size_t i = 0; i < tiles_.size(); ++i) {
        const double middle = before + tiles_[i].cost / 2;
        if (middle >= from && middle < to) body(tiles_[i]);
        before += tiles_[i].cost;
    }
}

template <class T> template <class Body> void PanelsEngine<T>::for_each_part(const Tile& tile, Index input_panels_each, const Body& body) const {
    if (tile.bias) body(Part{-1, 1});
    for (Index q = tile.first_input_panel; q < tile.last_input_panel; q += input_panels_each) {
        const Index last = std::min(q + input_panels_each, tile.last_input_panel);
        body(Part{q, std::min(last * lanes<T>, net_.stages[tile.stage].n_inputs) - q * lanes<T>});
    }
}

// Fetches the weights of a part, to be written, while their gradient is computed.
template <class T> void PanelsEngine<T>::fetch_part(const Tile& tile, const Part& part) const {
    const StageMemory<T>& memory = stages_[tile.stage];
    const T* weights = memory.weights + tile.panel * memory.panel + part.first_row<T>() * lanes<T>;
    for (Index v = 0; v < tile.vectors; ++v)
        for (Index r = 0; r < part.rows; ++r) __builtin_prefetch(weights + v * memory.panel + r * lanes<T>, 1, 2);
    if (!memory.transposed || part.biases()) return;
    for (Index r = 0; r < part.rows; r += lanes<T>) {
        const T* transposed = memory.transposed + (part.input_panel + r / lanes<T>) * memory.transposed_panel + tile.panel * lanes<T> * lanes<T>;
        for (Index j = 0; j < tile.vectors * lanes<T>; ++j) __builtin_prefetch(transposed + j * lanes<T>, 1, 2);
    }
}

// gradient (vectors, part.rows, lanes) = inputs^T . dvalues over all samples, in order.
template <class T> void PanelsEngine<T>::part_gradient(const Tile& tile, const Part& part, Index samples, T* gradient) {
    const bool streams = stages_[tile.stage].streams;
    if (streams) fetch_part(tile, part);
    const T one = 1;
    const Grid<const T> inputs = part.biases() ? Grid<const T>{&one, 0, 0} : constant(at(inputs_of(tile.stage, true), 0, part.input_panel));
    const Grid<const T> dvalues = constant(at(stages_[tile.stage].dvalues.grid(), 0, tile.panel));
    const Grid<T> output = {gradient, lanes<T>, part.rows * lanes<T>};
    for (Index first = 0; first < samples; first += sample_block) {
        const Index count = std::min(samples - first, sample_block);
        kernel_.product_tn({part.rows, count, tile.vectors * lanes<T>, at(inputs, first, 0), at(dvalues, first, 0),
                            first ? constant(output) : Grid<const T>{nullptr, 0, 0}, output, true, false, streams});
    }
}

template <class T> void PanelsEngine<T>::part_update(const UpdateRule& rule, const Tile& tile, const Part& part, const T* gradient) {
    const StageMemory<T>& memory = stages_[tile.stage];
    const Stage& stage = net_.stages[tile.stage];
    const Index offset = tile.panel * memory.panel + part.first_row<T>() * lanes<T>;
    PanelUpdateJob<T> job = {};
    job.rule = part.biases() ? bias_rule(rule, stage) : weight_rule(rule, stage);
    if (net_.clips) job.rule.l1 = job.rule.l2 = 0;  // already in the gradient
    job.rows = part.rows;
    job.vectors = tile.vectors;
    job.gradient = gradient;
    job.parameter = memory.weights + offset;
    job.panel = memory.panel;
    job.momentums = memory.momentums ? memory.momentums + offset : nullptr;
    job.cache = memory.cache ? memory.cache + offset : nullptr;
    if (memory.transposed && !part.biases()) {
        job.transposed = memory.transposed + part.input_panel * memory.transposed_panel + tile.panel * lanes<T> * lanes<T>;
        job.transposed_panel = memory.transposed_panel;
        job.transposed_rows = stage.n_neurons - tile.panel * lanes<T>;
    }
    kernel_.update_panels(job);
}

// Gradient and update of a tile in one walk over its weights.
template <class T> void PanelsEngine<T>::skinny_update(const UpdateRule& rule, const Tile& tile, Index samples) {
    const StageMemory<T>& memory = stages_[tile.stage];
    const Stage& stage = net_.stages[tile.stage];
    const T one = 1;
    SkinnyUpdateJob<T> job = {};
    job.vectors = tile.vectors;
    job.samples = samples;
    job.dvalues = constant(at(memory.dvalues.grid(), 0, tile.panel));
    job.panel = memory.panel;
    const auto step = [&](Index offset) {
        offset += tile.panel * memory.panel;
        job.parameter = memory.weights + offset;
        job.momentums = memory.momentums ? memory.momentums + offset : nullptr;
        job.cache = memory.cache ? memory.cache + offset : nullptr;
        kernel_.update_skinny(job);
    };
    if (tile.bias) {
        job.rule = bias_rule(rule, stage);
        job.rows = 1;
        job.inputs = {&one, 0, 0};
        step(0);
    }
    job.rule = weight_rule(rule, stage);
    job.rows = std::min(tile.last_input_panel * lanes<T>, stage.n_inputs) - tile.first_input_panel * lanes<T>;
    job.inputs = constant(at(inputs_of(tile.stage, true), 0, tile.first_input_panel));
    step((1 + tile.first_input_panel * lanes<T>) * lanes<T>);
}

template <class T> void PanelsEngine<T>::part_regularize(const Tile& tile, const Part& part, T* gradient) {
    const StageMemory<T>& memory = stages_[tile.stage];
    const Stage& stage = net_.stages[tile.stage];
    const double l1 = part.biases() ? stage.bias_l1 : stage.weight_l1, l2 = part.biases() ? stage.bias_l2 : stage.weight_l2;
    const T* parameter = memory.weights + tile.panel * memory.panel + part.first_row<T>() * lanes<T>;
    for (Index v = 0; v < tile.vectors; ++v)
        kernel_.regularize(part.rows * lanes<T>, static_cast<T>(l1), static_cast<T>(l2), parameter + v * memory.panel, gradient + v * part.rows * lanes<T>);
}

// Sums of squares over the neurons that exist, one for each panel by each panel of inputs: their order is not that of the
// tiles, whose width depends on the CPU target.
template <class T> void PanelsEngine<T>::part_squares(const Tile& tile, const Part& part, const T* gradient) {
    const Index places = 1 + panels_of<T>(net_.stages[tile.stage].n_inputs);
    for (Index v = 0; v < tile.vectors; ++v) {
        const Index neurons = std::min(net_.stages[tile.stage].n_neurons - (tile.panel + v) * lanes<T>, lanes<T>);
        double total = 0;
        for (Index r = 0; r < part.rows; ++r) total += kernel_.sum_of_squares(neurons, gradient + (v * part.rows + r) * lanes<T>);
        squares_[static_cast<std::size_t>(stages_[tile.stage].squares + (tile.panel + v) * places + part.input_panel + 1)] = total;
    }
}

template <class T> void PanelsEngine<T>::update(const UpdateRule& rule, double clip_norm, Index samples, Worker worker, Barrier& barrier) {
    if (net_.clips) return clipped_update(rule, clip_norm, samples, worker, barrier);
    alignas(line_bytes) T gradient[part_panels * lanes<T> * most_vectors * lanes<T>];
    for_each_tile(worker, [&](const Tile& tile) {
        if (skinny()) return skinny_update(rule, tile, samples);
        for_each_part(tile, part_panels, [&](const Part& part) {
            part_gradient(tile, part, samples, gradient);
            part_update(rule, tile, part, gradient);
        });
    });
}

// With clipping the whole gradient comes first: its norm decides about each step.
template <class T>
void PanelsEngine<T>::clipped_update(const UpdateRule& rule, double clip_norm, Index samples, Worker worker, Barrier& barrier) {
    const auto kept = [&](const Tile& tile, const Part& part) {
        const StageMemory<T>& memory = stages_[tile.stage];
        return memory.gradient + tile.panel * memory.panel + part.first_row<T>() * (part.biases() ? 1 : tile.vectors) * lanes<T>;
    };
    for_each_tile(worker, [&](const Tile& tile) {
        for_each_part(tile, 1, [&](const Part& part) {
            T* const place = kept(tile, part);
            part_gradient(tile, part, samples, place);
            part_regularize(tile, part, place);
            part_squares(tile, part, place);
        });
    });
    barrier.wait();
    double squares = 0;
    for (const double each : squares_) squares += each;
    const double norm = std::sqrt(squares);
    const T scale = static_cast<T>(norm > clip_norm ? clip_norm / norm : 1.0);
    alignas(line_bytes) T gradient[lanes<T> * most_vectors * lanes<T>];
    for_each_tile(worker, [&](const Tile& tile) {
        for_each_part(tile, 1, [&](const Part& part) {
            const T* const place = kept(tile, part);
            const Index count = part.rows * tile.vectors * lanes<T>;
            for (Index e = 0; e < count; ++e) gradient[e] = place[e] * scale;
            part_update(rule, tile, part, gradient);
        });
    });
}

}  // namespace

template <class T> std::unique_ptr<Engine<T>> make_panels_engine(const Network& network) { return std::make_unique<PanelsEngine<T>>(network); }
template std::unique_ptr<Engine<float>> make_panels_engine(const Network&);
template std::unique_ptr<Engine<double>> make_panels_engine(const Network&);

}  // namespace chainrule::model
