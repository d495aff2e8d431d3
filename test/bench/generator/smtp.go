package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/wire"
)

// smtpComparison sends the same messages with our client and with Postfix's smtp-source to Postfix's smtp-sink.
var smtpComparison = comparison{name: "smtp", compare: compareSMTP, work: sendSMTP}

const (
	smtpMessages = 40_000
	smtpSessions = 50
	smtpOctets   = 5 << 10
	smtpFrom     = "agent@sender.example"
	smtpTo       = "agent@receiver.example"
)

func compareSMTP(ctx context.Context, rounds int, cache string) (*Result, error) {
	tools, err := findPostfix(ctx, cache)
	if err != nil {
		return nil, err
	}
	address, stop, err := tools.sink(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ours := []string{"work", "smtp", "-address", address, "-messages", strconv.Itoa(smtpMessages), "-sessions", strconv.Itoa(smtpSessions)}
	// -d keeps the sessions open. smtp-source has no pipelining: four round trips a message.
	peer := []string{"-d", "-s", strconv.Itoa(smtpSessions), "-m", strconv.Itoa(smtpMessages), "-l", strconv.Itoa(smtpOctets), "-f", smtpFrom, "-t", smtpTo, address}
	result := &Result{
		Unit:     "messages per CPU-second",
		Ours:     Side{Command: "loadtest/protocol/smtp, a goroutine for each session, recorded in histograms, a timeout on each message"},
		Peer:     Side{Command: "smtp-source " + strings.Join(peer[:len(peer)-1], " ")},
		Settings: []string{fmt.Sprintf("%d messages a round of %d octets, one recipient", smtpMessages, smtpOctets), fmt.Sprintf("%d sessions kept open", smtpSessions), "plain TCP to smtp-sink"},
	}
	measure := func(environment []string, name string, arguments []string) func() (float64, error) {
		return func() (float64, error) {
			cpu, err := cost(ctx, environment, name, arguments...)
			return smtpMessages / cpu.Seconds(), err
		}
	}
	err = compare(rounds, result, measure(os.Environ(), self, ours), measure(tools.environment, tools.source, peer))
	return result, err
}

// sendSMTP is our side: a closed loop over sessions that stay open, recorded as a load test does.
func sendSMTP(ctx context.Context, arguments []string) (err error) {
	flags := flag.NewFlagSet("smtp", flag.ContinueOnError)
	address := flags.String("address", "", "server")
	messages := flags.Int64("messages", smtpMessages, "messages in all")
	sessions := flags.Int("sessions", smtpSessions, "sessions at once")
	profile := flags.String("profile", "", "file for a CPU profile")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *profile != "" {
		file, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	recorder := record.New(record.Options{Start: time.Now()})
	operation := recorder.Operation("smtp.send")
	var sent atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, *sessions)
	for i := range errs {
		group.Go(func() {
			client, err := smtp.Dial(ctx, &wire.Dialer{Timeout: time.Minute}, *address, smtp.Options{})
			if err != nil {
				errs[i] = err
				return
			}
			message := smtpMessage()
			for sent.Add(1) <= *messages {
				if errs[i] = sendOne(ctx, client, message, recorder, operation); errs[i] != nil {
					client.Close()
					return
				}
			}
			errs[i] = client.Quit(ctx)
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if done := recorder.Snapshot().Operations["smtp.send"].Count; done != *messages {
		return fmt.Errorf("messages: found %d recorded; accepted is %d", done, *messages)
	}
	return nil
}

func sendOne(ctx context.Context, client *smtp.Client, message []byte, recorder *record.Recorder, operation *record.Operation) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	intended := time.Now()
	recorder.InFlight(1)
	defer recorder.InFlight(-1)
	if _, err := client.Send(ctx, smtpFrom, []string{smtpTo}, message); err != nil {
		return err
	}
	operation.Done(intended, time.Now())
	operation.Bytes(len(message), 0)
	return nil
}

// smtpMessage is a message whose body has smtpOctets octets, as smtp-source's.
func smtpMessage() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: <%s>\r\nTo: <%s>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-Id: <1@sender.example>\r\n\r\n", smtpFrom, smtpTo)
	line := strings.Repeat("x", 78) + "\r\n"
	for left := smtpOctets; left > 0; left -= len(line) {
		b.WriteString(line[max(0, len(line)-left):])
	}
	return b.Bytes()
}
