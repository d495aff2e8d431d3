package distribution

import (
	"context"
	"log/slog"

	"gouv.tg/messagerie/loadtest/engine"
)

// What workers take and give is the engine's.
type (
	// Input is what one worker needs to know. It holds passwords.
	Input = engine.Input
	// Result is what one worker measured.
	Result = engine.Result
	// Progress is how far a run is.
	Progress = engine.Progress
)

// Load is the engine that makes load.
var Load Engine = load{}

type load struct{}

func (load) Prepare(ctx context.Context, in Input, log *slog.Logger) (Share, error) {
	run, err := engine.Prepare(ctx, in, log)
	if err != nil {
		return nil, err // not a nil *engine.Run in an interface
	}
	return run, nil
}
