#include "model/record.hpp"

#include <algorithm>
#include <cmath>

namespace chainrule::model {
namespace {

// Epochs that one stretch can report; more than 20 ms of the smallest net give.
constexpr std::int64_t most_epochs = 1 << 17;

}  // namespace

void Record::reserve(std::int64_t epochs, const Columns& columns) {
    columns_ = columns;
    capacity_ = static_cast<std::size_t>(std::min(epochs + static_cast<std::int64_t>(epochs_.count), most_epochs));
    const auto reserve = [this](bool used, std::vector<double>& column) {
        if (used) column.reserve(capacity_);
    };
    reserve(true, epochs_.data_loss);
    reserve(true, epochs_.seconds);
    reserve(columns.regularization_loss, epochs_.regularization_loss);
    reserve(columns.accuracy, epochs_.accuracy);
    reserve(columns.rate, epochs_.rate);
    reserve(columns.validation, epochs_.validation_loss);
    reserve(columns.validation && columns.accuracy, epochs_.validation_accuracy);
}

void Record::begin() {
    last_step = {NAN, NAN, NAN, NAN};
    sums_ = validation_ = {};
    penalties_ = seconds_ = 0;
    steps_ = 0;
    without_seconds_ = 0;
    forget_epochs();
}

void Record::forget_epochs() {
    epochs_.count = 0;
    for (std::vector<double>* column : {&epochs_.data_loss, &epochs_.seconds, &epochs_.regularization_loss, &epochs_.accuracy, &epochs_.rate, &epochs_.validation_loss, &epochs_.validation_accuracy})
        column->clear();
}

void Record::close_epoch(double regularization_loss) {
    epochs_.data_loss.push_back(sums_.mean_loss());
    epochs_.seconds.push_back(0);
    if (columns_.regularization_loss) epochs_.regularization_loss.push_back(regularization_loss);
    if (columns_.accuracy) epochs_.accuracy.push_back(sums_.accuracy());
    if (columns_.rate) epochs_.rate.push_back(last_step.rate);
    if (columns_.validation) epochs_.validation_loss.push_back(validation_.mean_loss());
    if (columns_.validation && columns_.accuracy) epochs_.validation_accuracy.push_back(validation_.accuracy());
    ++epochs_.count;
    ++without_seconds_;
    sums_ = validation_ = {};
    penalties_ = 0;
}

double Record::last(Monitored value) const {
    const auto of = [](const std::vector<double>& column, double otherwise) { return column.empty() ? otherwise : column.back(); };
    switch (value) {
        case Monitored::loss: return epochs_.data_loss.back() + of(epochs_.regularization_loss, 0);
        case Monitored::data_loss: return epochs_.data_loss.back();
        case Monitored::regularization_loss: return of(epochs_.regularization_loss, 0);
        case Monitored::accuracy: return of(epochs_.accuracy, NAN);
        case Monitored::validation_loss: return of(epochs_.validation_loss, NAN);
        case Monitored::validation_accuracy: return of(epochs_.validation_accuracy, NAN);
    }
    return NAN;
}

// Spreads the time since the clock was last read evenly over the steps since then, and so over the epochs they closed:
// reading it for each epoch would take longer than the smallest epochs do. Time without a step belongs to a validation.
void Record::spread_seconds(Clock::time_point now, std::int64_t step, std::int64_t steps_each) {
    const double steps = static_cast<double>(steps_), whole = static_cast<double>(steps_each), span = runtime::seconds_between(last_clock_, now);
    if (steps == 0) seconds_ += span;
    const double each = steps > 0 ? span / steps : 0;
    double left = steps;
    for (; without_seconds_ > 0; --without_seconds_) {
        const double here = left - static_cast<double>(step) - whole * static_cast<double>(without_seconds_ - 1);
        epochs_.seconds[epochs_.count - without_seconds_] = seconds_ + each * here;
        seconds_ = 0;
        left -= here;
    }
    seconds_ += each * left;
    last_clock_ = now;
    steps_ = 0;
}

}  // namespace chainrule::model
