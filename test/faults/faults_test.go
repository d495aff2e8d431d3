package faults

import (
	"flag"
	"testing"
	"time"
)

var (
	rounds   = flag.Int("rounds", 2, "kills of each kind")
	messages = flag.Int("messages", 2000, "messages acknowledged in each round")
	seed     = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random choices; the sizes, recipients and moments repeat, the scheduling does not")
)

func begin(t *testing.T) *campaign {
	t.Logf("-seed %d", *seed)
	return newCampaign(t, *seed)
}

// TestKillCell kills the cell of the senders' ministry and that of the other one in turn.
func TestKillCell(t *testing.T) {
	c := begin(t)
	for n := 1; n <= *rounds; n++ {
		v, err := podVictim(t.Context(), c.installation, c.ministries[(n-1)%2].Namespace(), "cell-0")
		if err != nil {
			t.Fatal(err)
		}
		c.round(t, n, *messages, v)
	}
}

// TestKillGateway kills the gateway, through which everything passes.
func TestKillGateway(t *testing.T) {
	c := begin(t)
	for n := 1; n <= *rounds; n++ {
		v, err := podVictim(t.Context(), c.installation, "messagerie-system", "gateway-0")
		if err != nil {
			t.Fatal(err)
		}
		c.round(t, n, *messages, v)
	}
}

// TestKillEverything kills `messagerie up`, in turn with all its Pods, as a power cut would, and alone, when its Pods must
// serve on.
func TestKillEverything(t *testing.T) {
	c := begin(t)
	for n := 1; n <= *rounds; n++ {
		prepare := func() (victim, error) { return wholeVictim(c.installation, c.random) }
		if n%2 == 0 {
			prepare = func() (victim, error) { return upVictim(c.installation, c.random) }
		}
		v, err := prepare()
		if err != nil {
			t.Fatal(err)
		}
		c.round(t, n, *messages, v)
	}
}
