// Package mlog stands in for the logging module of azure-workload-identity, which no module proxy has: as much of it
// as pkg/webhook uses, on top of log/slog.
//
// Besides the log, the level is seen in one place: it becomes --log-level of the proxy that the webhook adds to pods.
package mlog

import "log/slog"

// LogLevel is a level by the name that the flag --log-level has for it.
type LogLevel string

// The levels, in order of increasing verbosity. The first is what holds where none is set.
const (
	LevelWarning LogLevel = ""
	LevelInfo    LogLevel = "info"
	LevelDebug   LogLevel = "debug"
	LevelTrace   LogLevel = "trace"
	LevelAll     LogLevel = "all"
)

// Enabled says whether a level is logged: those up to info, which the chart sets.
func Enabled(level LogLevel) bool {
	return level == LevelWarning || level == LevelInfo
}

// Logger writes to the default logger of log/slog.
type Logger struct {
	slog *slog.Logger
}

// New is a logger without a name or values.
func New() Logger {
	return Logger{slog.Default()}
}

// WithName is the logger with a name in each line.
func (l Logger) WithName(name string) Logger {
	return l.WithValues("logger", name)
}

// WithValues is the logger with these keys and values in each line.
func (l Logger) WithValues(keysAndValues ...any) Logger {
	return Logger{l.slog.With(keysAndValues...)}
}

// Error writes what failed, and why.
func (l Logger) Error(message string, err error, keysAndValues ...any) {
	l.slog.With("error", err).Error(message, keysAndValues...)
}
