package deflate

import (
	"errors"
	"fmt"
)

// ErrCorrupt is what errors of a stream that is not DEFLATE wrap. They last.
var ErrCorrupt = errors.New("deflate: stream is corrupt")

var (
	errBlockType   = corrupt("block of type 3")
	errStored      = corrupt("length of stored block differs from its complement")
	errCounts      = corrupt("more than 286 literal and length codes or 30 distance codes")
	errRepeat      = corrupt("repeated code length beyond the first or last code")
	errOversized   = corrupt("more codes than their lengths allow")
	errIncomplete  = corrupt("fewer codes than their lengths allow")
	errSymbol      = corrupt("unknown code")
	errDistance    = corrupt("distance beyond the beginning of the stream")
	errBarren      = corrupt("64 KiB that decode to nothing")
	errOctetsAtEnd = corrupt("octets after what should be the last")
)

func corrupt(what string) error { return fmt.Errorf("%w: %s", ErrCorrupt, what) }
