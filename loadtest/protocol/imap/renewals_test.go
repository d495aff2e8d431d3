package imap

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestRenewal(t *testing.T) {
	told, seen := make(events, 10), new(record)
	renewed := make(chan struct{})
	c := connect(t, Options{Observer: seen}, func(p *peer) {
		p.want("IDLE")
		p.send("+")
		p.wantLine("DONE")
		p.ok("* 4 EXISTS")
		p.want("IDLE")
		p.send("* 5 EXISTS")
		p.send("+")
		p.wantLine("DONE")
		close(renewed)
		p.gone()
	})
	c.renewals = &renewals{interval: 30 * time.Millisecond, patience: 20 * time.Second}
	if err := c.Idle(background(t), poller(t), told.call); err != nil {
		t.Fatal(err)
	}
	<-renewed
	c.Disconnect()
	if got := seen.all(); !slices.Equal(got, []string{"exists 4", "exists 5"}) {
		t.Errorf("told %q", got)
	}
}

func TestARenewalWithoutAnswer(t *testing.T) {
	for name, answer := range map[string]func(p *peer){
		"to DONE": func(p *peer) {},
		"to IDLE": func(p *peer) { p.ok(); p.want("IDLE") },
	} {
		t.Run(name, func(t *testing.T) {
			told := make(events, 10)
			c := connect(t, Options{}, func(p *peer) {
				p.want("IDLE")
				p.send("+")
				p.wantLine("DONE")
				answer(p)
				p.gone()
			})
			c.renewals = &renewals{interval: 5 * time.Millisecond, patience: 30 * time.Millisecond}
			if err := c.Idle(background(t), poller(t), told.call); err != nil {
				t.Fatal(err)
			}
			if err := told.next(t); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			if len(c.renewals.queue) != 0 {
				t.Error("the renewal is still planned")
			}
		})
	}
}
