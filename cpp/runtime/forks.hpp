// Forks and teams: OpenMP's threads do not survive a fork, and a child that called for them would wait for ever.
#pragma once

namespace chainrule::runtime {

// Whether this process does without teams for good. A child of fork() does, unless no team had been opened before: none by this
// module in any thread of its parent, none by anybody in the thread that forked.
bool stays_alone();

// How many forks lie between this process and the one that loaded the module.
int forks_so_far();

// Before a process's first team: its children stay alone from now on.
void note_team();

}  // namespace chainrule::runtime
