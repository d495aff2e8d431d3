package logs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"time"
)

// followInterval is how often a followed log is looked at.
const followInterval = 100 * time.Millisecond

// Options say which part of a log is wanted, as in kubectl logs.
type Options struct {
	// Tail is the number of last lines; 0: all.
	Tail int
	// Since leaves out what was written before; zero: nothing.
	Since time.Time
	// LimitBytes ends the output after as many bytes; 0: unlimited.
	LimitBytes int64
	// Timestamps puts the time a line was seen in front of it, to about a second.
	Timestamps bool
	// Follow waits for more until Ended returns true.
	Follow bool
	// Ended says whether the container has ended: nothing more will come. It is only asked when following.
	Ended func() bool
}

// Read copies the wanted part of the log at path to w. It returns when the part is copied, the container followed has
// ended, or ctx is done.
func Read(ctx context.Context, path string, o Options, w io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read the log: %w", err)
	}
	defer f.Close()
	l := Open(path)
	offset := l.start
	if !o.Since.IsZero() {
		offset = l.offsetAt(o.Since)
	}
	if o.Tail > 0 {
		from, err := tailOffset(f, offset, o.Tail)
		if err != nil {
			return fmt.Errorf("cannot read the log: %w", err)
		}
		offset = from
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return fmt.Errorf("cannot read the log: %w", err)
	}
	out := &output{w: w, left: o.LimitBytes, limited: o.LimitBytes > 0}
	source := io.Reader(&follower{ctx: ctx, f: f, offset: offset, o: o})
	if o.Timestamps {
		err = copyTimed(out, source, path, offset)
	} else {
		_, err = io.Copy(out, source)
	}
	if errors.Is(err, errLimit) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// offsetAt returns where the output since a time begins.
func (l *Log) offsetAt(since time.Time) int64 {
	i := sort.Search(len(l.samples), func(i int) bool { return l.samples[i].at >= since.UnixNano() })
	if i == 0 {
		return l.start
	}
	return l.samples[i-1].size
}

// timeAt returns when the byte at offset was seen; now when it has not been sampled yet.
func (l *Log) timeAt(offset int64) time.Time {
	i := sort.Search(len(l.samples), func(i int) bool { return l.samples[i].size > offset })
	if i == len(l.samples) {
		return time.Now()
	}
	return time.Unix(0, l.samples[i].at)
}

// tailOffset returns where the last n lines from start on begin, reading backwards.
func tailOffset(f *os.File, start int64, n int) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	const block = 32 << 10
	buf := make([]byte, block)
	found := 0
	for position := end; position > start; {
		size := min(int64(block), position-start)
		position -= size
		if _, err := f.ReadAt(buf[:size], position); err != nil && err != io.EOF {
			return 0, err
		}
		for i := size - 1; i >= 0; i-- {
			// The line end of the last line does not begin another one.
			if buf[i] != '\n' || position+i == end-1 {
				continue
			}
			if found++; found == n {
				return position + i + 1, nil
			}
		}
	}
	return start, nil
}

// follower reads a file and, when following, waits at its end for more.
type follower struct {
	ctx    context.Context
	f      *os.File
	offset int64
	o      Options
}

// Read implements io.Reader.
func (r *follower) Read(p []byte) (int, error) {
	for {
		// Asked before reading, so that what was written before the end is still read.
		ended := !r.o.Follow || r.o.Ended == nil || r.o.Ended()
		n, err := r.f.Read(p)
		r.offset += int64(n)
		if n > 0 || err != io.EOF {
			return n, err
		}
		if ended {
			return 0, io.EOF
		}
		if info, err := r.f.Stat(); err == nil && info.Size() < r.offset { // truncated
			r.offset = 0
			if _, err := r.f.Seek(0, io.SeekStart); err != nil {
				return 0, err
			}
		}
		select {
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		case <-time.After(followInterval):
		}
	}
}

// maxLine bounds a line that gets a time; longer ones are split.
const maxLine = 64 << 10

// copyTimed copies lines with their times in front.
func copyTimed(w io.Writer, r io.Reader, path string, offset int64) error {
	in := bufio.NewReaderSize(r, maxLine)
	l := Open(path)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			if n := len(l.samples); n == 0 || l.samples[n-1].size <= offset {
				l = Open(path) // the node may have sampled it by now
			}
			stamp := l.timeAt(offset).UTC().Format(time.RFC3339Nano)
			if _, err := io.WriteString(w, stamp+" "+string(line)); err != nil {
				return err
			}
			offset += int64(len(line))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

var errLimit = errors.New("limit reached")

// output ends after a number of bytes.
type output struct {
	w       io.Writer
	left    int64
	limited bool
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	if !o.limited {
		return o.w.Write(p)
	}
	cut := p
	if int64(len(cut)) > o.left {
		cut = cut[:o.left]
	}
	n, err := o.w.Write(cut)
	o.left -= int64(n)
	if err == nil && len(cut) < len(p) {
		err = errLimit
	}
	return n, err
}
