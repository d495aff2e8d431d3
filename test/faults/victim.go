package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"gouv.tg/messagerie/test/harness"
)

// victim is what a round kills. All that it takes to kill is looked up beforehand.
type victim struct {
	name string
	kill func() error
	// recover does what does not happen by itself; nil: nothing.
	recover func(ctx context.Context) error
	// check finds what should have lived on and did not; nil: nothing should. meanwhile is how many messages were
	// acknowledged between the kill and the recovery.
	check func(meanwhile int64) ([]Finding, error)
}

// maxRestarts is how often a Pod is killed before it is replaced by a new one: the node takes longer and longer before it
// starts again what keeps ending, as every node does.
const maxRestarts = 2

// podVictim kills the process of a Pod; the node must start it again.
func podVictim(ctx context.Context, i *harness.Installation, namespace, name string) (victim, error) {
	pod, err := i.AwaitPod(ctx, namespace, name)
	if err != nil {
		return victim{}, err
	}
	if pod.Restarts >= maxRestarts {
		if _, err := i.Kubectl(ctx, "delete", "pod", "-n", namespace, name); err != nil {
			return victim{}, err
		}
		if _, err := i.AwaitPod(ctx, namespace, name); err != nil {
			return victim{}, err
		}
	}
	p, err := i.PodProcess(ctx, namespace, name)
	if err != nil {
		return victim{}, err
	}
	return victim{name: fmt.Sprintf("%s of %s", name, namespace), kill: p.Kill9}, nil
}

// wholeVictim kills the control plane, the node, the operator and every Pod at once; every other time once more while all
// that comes up again.
func wholeVictim(i *harness.Installation, random *rand.Rand) (victim, error) {
	processes, err := i.Processes()
	v := victim{
		name:    fmt.Sprintf("up and its %d Pods", len(processes)),
		kill:    func() error { return i.KillEverything(processes) },
		recover: func(ctx context.Context) error { return restart(ctx, i, 0) },
	}
	if random.IntN(2) == 0 {
		again := time.Duration(random.IntN(5000)) * time.Millisecond
		v.name += fmt.Sprintf(", once more %d ms later", again.Milliseconds())
		v.recover = func(ctx context.Context) error {
			if err := killStarting(ctx, i, again); err != nil {
				return err
			}
			return restart(ctx, i, 0)
		}
	}
	return v, err
}

// killStarting starts the installation and kills all of it after a while, whether it is ready by then or not.
func killStarting(ctx context.Context, i *harness.Installation, after time.Duration) error {
	short, cancel := context.WithTimeout(ctx, after)
	defer cancel()
	_, err := i.Start(short)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil // killed in time
	}
	return errors.Join(err, i.KillEverything(nil))
}

// upVictim kills control plane, node and operator; the Pods must live on and be taken over by the next ones.
func upVictim(i *harness.Installation, random *rand.Rand) (victim, error) {
	before, err := i.Processes()
	away := time.Duration(random.IntN(2000)) * time.Millisecond
	return victim{
		name:    "up alone",
		kill:    i.Kill9,
		recover: func(ctx context.Context) error { return restart(ctx, i, away) },
		check: func(meanwhile int64) ([]Finding, error) {
			var findings []Finding
			if meanwhile == 0 {
				findings = append(findings, Finding{Restarted, "no mail went through while up was away"})
			}
			after, err := i.Processes()
			for _, p := range before {
				if !slices.Contains(after, p) {
					findings = append(findings, Finding{Restarted, fmt.Sprintf("process %d of a Pod did not live on", p.PID)})
				}
			}
			return findings, err
		},
	}, err
}

func restart(ctx context.Context, i *harness.Installation, away time.Duration) error {
	time.Sleep(away)
	_, err := i.Start(ctx)
	return err
}
