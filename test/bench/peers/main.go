// Peers measures our mail stack beside Postfix and Dovecot (Debian's, fsync on, maildir and mdbox) and mox, in one run on one machine.
//
//	go run ./test/bench/peers [-quick] [-rounds 3] [-only REGEX] [-peers LIST] [-messages N]
//
// Every peer runs from a private folder, on loopback addresses and high ports, as processes of this program, which ends them and removes
// the folder whatever happens. They take turns, round by round, so that whatever else the machine does falls on all. It needs root, as
// Postfix does, and /usr/sbin/postfix, /usr/sbin/dovecot, strace and, for mox, the Go module proxy; who is missing is left out and said.
//
// The table goes to standard output, progress to standard error, and the figures to test/bench/out/peers.json: a report.Report, whose
// fields say what they are. "Ours is" is how many times better ours is: above 1 ours is better, whichever way is better. "Of ours" is
// how many times our processor time a peer's processes take for the same: it hardly depends on what else the machine does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"gouv.tg/messagerie/test/bench/peers/corpus"
	"gouv.tg/messagerie/test/bench/peers/measure"
	"gouv.tg/messagerie/test/bench/peers/report"
	"gouv.tg/messagerie/test/bench/peers/server"
	"gouv.tg/messagerie/test/bench/peers/system"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// options are what can be asked for.
type options struct {
	measure.Sizes
	rounds int
	only   *regexp.Regexp
	peers  []string
	folder string
	out    string
	stackd string
}

var allPeers = []string{server.Ours, "postfix", "dovecot-maildir", "dovecot-mdbox", "mox"}

func parse(arguments []string) (o options, err error) {
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "one short round of everything, with a small big mailbox")
	flags.IntVar(&o.rounds, "rounds", 3, "rounds of each measure and peer")
	only := flags.String("only", "", "measures whose name matches this `REGEX`, such as delivery or imap/search")
	peers := flags.String("peers", strings.Join(allPeers, ","), "peers that take part, a `LIST`")
	flags.IntVar(&o.Messages, "messages", 20_000, "most messages that a round delivers")
	flags.DurationVar(&o.Duration, "duration", 3*time.Second, "of a round whose work has no end of its own")
	flags.IntVar(&o.Big, "big", 50_000, "messages in the big mailbox")
	flags.IntVar(&o.Idle, "idle", 500, "sessions in IDLE")
	flags.StringVar(&o.folder, "folder", os.TempDir(), "where the peers' private `FOLDER` is made: a disk")
	flags.StringVar(&o.out, "out", "test/bench/out", "`FOLDER` for peers.json and for programs that are built once")
	flags.StringVar(&o.stackd, "stackd", "", "the stackd to measure, a `FILE`; it is built when none is named")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if *quick {
		for name, value := range map[string]string{"rounds": "1", "duration": "1s", "big": "5000", "idle": "200"} {
			if !given[name] {
				if err := flags.Set(name, value); err != nil {
					return o, err
				}
			}
		}
	}
	for name, n := range map[string]int{"rounds": o.rounds, "messages": o.Messages, "big": o.Big, "idle": o.Idle} {
		if n < 1 || n > 1_000_000 {
			return o, fmt.Errorf("-%s: found %d; accepted are 1 to 1000000", name, n)
		}
	}
	if o.Duration < 100*time.Millisecond || o.Duration > time.Minute {
		return o, fmt.Errorf("-duration: found %s; accepted are 100ms to 1m", o.Duration)
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	for name := range strings.SplitSeq(*peers, ",") {
		if !slices.Contains(allPeers, name) {
			return o, fmt.Errorf("-peers: found %q; accepted are %s", name, strings.Join(allPeers, ", "))
		}
		o.peers = append(o.peers, name)
	}
	return o, nil
}

func run(ctx context.Context, arguments []string) (err error) {
	o, err := parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("user: found one without privileges; accepted is root, which Postfix and mox start as")
	}
	if err := system.Adopt(); err != nil {
		return err
	}
	cache, err := filepath.Abs(o.out)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(o.folder, "peers")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, system.Sweep(), os.RemoveAll(folder)) }()
	if err := os.Chmod(folder, 0o755); err != nil { // the peers' own users come through
		return err
	}
	began := time.Now()
	result := &report.Report{Schema: report.Schema, Arguments: arguments, Rounds: o.rounds}
	if result.Machine, err = system.Describe(folder); err != nil {
		return err
	}
	result.Machine.Date = began.Format(time.RFC3339)
	site := &server.Site{Folder: folder, Cache: cache, Stackd: o.stackd, Corpus: corpus.New()}
	servers, err := start(ctx, site, o.peers)
	defer func() { err = errors.Join(err, servers.Stop()) }()
	if err != nil {
		return err
	}
	for _, s := range servers {
		result.Peers = append(result.Peers, report.Peer{Name: s.Name, Version: s.Version, Settings: s.Settings})
	}
	bench := &measure.Bench{
		Sizes: o.Sizes, Servers: servers.mailboxes(), TLS: site.ClientTLS(), Corpus: site.Corpus, Folder: folder, Progress: progress,
	}
	defer bench.Close()
	failed := measureAll(ctx, bench, o, result)
	result.Machine.LoadAfter, result.Machine.WallSeconds = system.Load(), time.Since(began).Seconds()
	result.Finish(server.Ours)
	return errors.Join(failed, result.Print(os.Stdout), result.Write(filepath.Join(cache, "peers.json")))
}
