// What watches one value of the epochs: for its best, and for the patience to be over.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace chainrule::model {

enum class Monitored { loss, data_loss, regularization_loss, accuracy, validation_loss, validation_accuracy };

struct Monitor {
    Monitored value = Monitored::loss;
    bool upwards = false;       // larger is better
    bool ties = false;          // so is as good
    bool keeps = false;         // the parameters of the best epoch
    double min_delta = 0;       // what counts as better
    std::int64_t patience = 0;  // epochs without; negative: no end to it
    // What is done then: training ends; or, with a factor, the rate is multiplied by it, down to `least`.
    double factor = 0, least = 0;
    std::int64_t cooldown = 0;  // epochs after that in which none counts as one without

    // As it stands. Epochs count from 1; 0: none.
    double best = NAN;
    std::int64_t best_epoch = 0, acted_epoch = 0, waited = 0, cooling = 0;

    // Whether this epoch is the best so far. NaN never is.
    bool look(std::int64_t epoch, double now) {
        const double gain = upwards ? now - best : best - now;
        const bool better = now == now && (best_epoch == 0 ? !ties || std::isfinite(now) : ties ? gain >= 0 : gain > min_delta);
        if (better) {
            best = now;
            best_epoch = epoch;
        }
        if (better || cooling > 0) {
            waited = 0;
            cooling = std::max<std::int64_t>(cooling - 1, 0);
        } else {
            ++waited;
        }
        return better;
    }
    bool out_of_patience() const { return patience >= 0 && waited >= std::max<std::int64_t>(patience, 1); }
};

}  // namespace chainrule::model
