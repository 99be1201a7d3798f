// Package torture is the fault harness: it runs the real binaries as real processes against a real Postgres and the
// stand-ins for GitHub and a model, kills and freezes them at named points, and keeps a log of what was sent, answered,
// applied and seen. A checker then reads only that log and the stand-in's final state and says what was lost, posted
// twice, or posted for an old revision.
//
// Every fault has to prove that it landed: a run in which an armed fault did not land has failed. A kill has landed when
// the process said so and ended by that signal; a freeze when the process said so and is stopped, and it is thawed only
// after others ended every review that was under way.
package torture
