// Package migration takes mailboxes out of cells and into them: to and from files (package archive), and, in package pull,
// from another server.
package migration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
)

// Cell is what a mailbox is in: an admin.Client, or a remote.Cell.
type Cell interface {
	Export(ctx context.Context, address, mailbox string, w io.Writer) error
	Import(ctx context.Context, address string, r archive.Reader, yield func(admin.ImportResult) error) error
}

// maxDetails bounds the lines about single messages in a report.
const maxDetails = 1000

// Export writes an account's mailboxes, or one and those below it, to a new file or folder. What cannot be read is listed
// in lost, at most 1,000 of them, and counted in the summary. With an error nothing is left behind.
func Export(ctx context.Context, cell Cell, address, mailbox, out string, format archive.Format, progress func(archive.Summary)) (total archive.Summary, lost []archive.Lost, err error) {
	w, err := archive.Create(out, format)
	if err != nil {
		return total, nil, fmt.Errorf("--out: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, feed := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := cell.Export(ctx, address, mailbox, feed)
		feed.CloseWithError(err)
		ended <- err
	}()
	var seen archive.Summary
	total, err = archive.Copy(ctx, w, archive.NewTarReader(bufio.NewReaderSize(in, 256<<10)), func(i archive.Item) {
		if l, ok := i.(*archive.Lost); ok && len(lost) < maxDetails {
			lost = append(lost, *l)
		}
		seen.Add(i)
		progress(seen)
	})
	in.CloseWithError(errors.New("nobody reads any more"))
	if cerr := <-ended; err != nil && cerr != nil && errors.Is(err, cerr) {
		err = cerr // and not that it could not be read
	}
	if err == nil {
		if err = w.Close(); err == nil {
			return total, lost, nil
		}
	}
	return total, lost, errors.Join(err, w.Discard())
}

// Report counts what became of the messages of an import.
type Report struct {
	Stored, Known, Present, Refused, Lost int
	Bytes                                 int64
	Details                               []string // what was refused or lost, at most 1,000 lines
}

func (r *Report) detail(format string, args ...any) {
	if len(r.Details) < maxDetails {
		r.Details = append(r.Details, fmt.Sprintf(format, args...))
	}
}

func (r *Report) add(result admin.ImportResult) {
	for _, m := range result.Messages {
		switch m.State {
		case admin.Stored:
			r.Stored++
		case admin.Known:
			r.Known++
		case admin.Present:
			r.Present++
		default:
			r.Refused++
			r.detail("%s: %s", m.Mailbox, m.Error)
		}
	}
	for _, m := range result.Refused {
		r.Refused++
		r.detail("%s: %s", m.Mailbox, m.Error)
	}
}

// counted notes what a reader has read.
type counted struct {
	archive.Reader
	report *Report
}

func (c counted) Next() (archive.Item, error) {
	i, err := c.Reader.Next()
	switch i := i.(type) {
	case *archive.Message:
		c.report.Bytes += int64(len(i.Raw))
	case *archive.Lost:
		c.report.Lost++
		c.report.detail("%s: %s: %s", i.Mailbox, i.Where, i.What)
	}
	return i, err
}

// Import adds the mailboxes of a file or folder to an account, or puts them below a mailbox of it. An empty format is found
// out. After an error, what the report counts is there; the same again goes on.
func Import(ctx context.Context, cell Cell, address, mailbox, from string, format archive.Format, progress func(Report)) (Report, error) {
	r, err := archive.Open(from, format)
	if err != nil {
		return Report{}, fmt.Errorf("--from: %w", err)
	}
	defer r.Close()
	// The reader may run in another goroutine than the results come in.
	read, report := new(Report), new(Report)
	err = cell.Import(ctx, address, archive.Number(archive.Under(counted{r, read}, mailbox)), func(result admin.ImportResult) error {
		report.add(result)
		progress(*report)
		return nil
	})
	report.Lost, report.Bytes = read.Lost, read.Bytes
	report.Details = append(report.Details, read.Details...)
	return *report, err
}
