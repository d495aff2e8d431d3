package node

import (
	"context"
	"fmt"
	"log/slog"

	vklog "github.com/virtual-kubelet/virtual-kubelet/log"
)

// libraryLog passes virtual-kubelet's messages on. All but its errors are of interest to developers only: it warns of
// what this node does on purpose, such as deleting stopped Pods early.
type libraryLog struct{ log *slog.Logger }

func (l libraryLog) at(level slog.Level, text string) { l.log.Log(context.Background(), level, text) }

// The methods implement log.Logger of virtual-kubelet.

// Debug is dropped: it is formatted even when nobody reads it.
func (l libraryLog) Debug(...any) {}

// Debugf is dropped.
func (l libraryLog) Debugf(string, ...any) {}

// Info logs for developers.
func (l libraryLog) Info(args ...any) { l.at(slog.LevelDebug, fmt.Sprint(args...)) }

// Infof logs for developers.
func (l libraryLog) Infof(format string, args ...any) {
	l.at(slog.LevelDebug, fmt.Sprintf(format, args...))
}

// Warn logs for developers.
func (l libraryLog) Warn(args ...any) { l.at(slog.LevelDebug, fmt.Sprint(args...)) }

// Warnf logs for developers.
func (l libraryLog) Warnf(format string, args ...any) {
	l.at(slog.LevelDebug, fmt.Sprintf(format, args...))
}

// Error logs a warning: the library tries again.
func (l libraryLog) Error(args ...any) { l.at(slog.LevelWarn, fmt.Sprint(args...)) }

// Errorf logs a warning.
func (l libraryLog) Errorf(format string, args ...any) {
	l.at(slog.LevelWarn, fmt.Sprintf(format, args...))
}

// Fatal logs a warning; a library does not end the program.
func (l libraryLog) Fatal(args ...any) { l.Error(args...) }

// Fatalf logs a warning.
func (l libraryLog) Fatalf(format string, args ...any) { l.Errorf(format, args...) }

// WithField adds a field.
func (l libraryLog) WithField(key string, value any) vklog.Logger {
	return libraryLog{l.log.With(key, value)}
}

// WithFields adds fields.
func (l libraryLog) WithFields(fields vklog.Fields) vklog.Logger {
	log := l.log
	for key, value := range fields {
		log = log.With(key, value)
	}
	return libraryLog{log}
}

// WithError adds an error.
func (l libraryLog) WithError(err error) vklog.Logger { return libraryLog{l.log.With("error", err)} }
