// Package scenario says what a load test does: who the agents are, what they do and how often, for how long, and what
// counts as good. It is plain data, read from YAML or JSON, and knows neither Kubernetes nor the protocols.
package scenario

import (
	"slices"
	"time"
)

// Scenario is one load test, complete. Rates and users are those of the whole test: each worker takes its share.
type Scenario struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`

	// Users is how many agents there are. They share the accounts at hand, in order.
	Users int    `json:"users"`
	Seed  uint64 `json:"seed,omitempty"`
	// Workers is how many processes make the load.
	Workers int `json:"workers,omitempty"`

	// Long sessions are opened during ConnectSeconds; then the streams begin. What begins in the first WarmUpSeconds of
	// the streams is not measured; then DurationSeconds are. At most SettleSeconds after that, everything has to have arrived.
	ConnectSeconds  float64 `json:"connectSeconds,omitempty"`
	WarmUpSeconds   float64 `json:"warmUpSeconds,omitempty"`
	DurationSeconds float64 `json:"durationSeconds"`
	SettleSeconds   float64 `json:"settleSeconds,omitempty"`

	// Targets are the endpoints by protocol: smtp, submission, submissions, lmtp, imap, imaps; each host:port.
	Targets map[string]string `json:"targets,omitempty"`

	Sessions Sessions `json:"sessions,omitzero"`
	Streams  []Stream `json:"streams,omitempty"`
	Messages Messages `json:"messages,omitzero"`
	Network  Network  `json:"network,omitzero"`
	Checks   Checks   `json:"checks,omitzero"`

	// Gates are what counts as good: `metric op value [min_count=N]`.
	Gates []string `json:"gates,omitempty"`
	// Objectives are service levels whose error budget is accounted: `operation within D for P%`.
	Objectives []string `json:"objectives,omitempty"`

	// MaxInFlight bounds the operations that a worker has begun and not finished; more are skipped, and counted.
	MaxInFlight int `json:"maxInFlight,omitempty"`
	// TimeoutSeconds bounds one operation.
	TimeoutSeconds float64 `json:"timeoutSeconds,omitempty"`
	// LagLimitMilliseconds is the lateness of the generator itself, at the 99th percentile, from which a run is invalid.
	LagLimitMilliseconds float64 `json:"lagLimitMilliseconds,omitempty"`
}

// Sessions are the IMAP sessions that agents hold all day, one a user.
type Sessions struct {
	// Share is the part of the users who hold one, 0 to 1.
	Share float64 `json:"share,omitempty"`
}

// Activity is one kind of thing that agents do.
type Activity string

// Activities.
const (
	MX         Activity = "MX"         // a message from outside, handed to the MX port
	LMTP       Activity = "LMTP"       // a message handed in by LMTP
	Submission Activity = "Submission" // connect, log in, send, leave: as mail programs do
	Desktop    Activity = "Desktop"    // one action in a session held all day
	Phone      Activity = "Phone"      // connect, log in, look for news, read a little, leave
)

// Model says what sets the pace.
type Model string

// Models.
const (
	Open   Model = "Open"   // intended start times, whatever the target does
	Closed Model = "Closed" // so many at once, each waiting for its answer: for comparison and for maximum throughput
)

// Arrivals says how the intended start times of an open stream lie.
type Arrivals string

// Arrivals.
const (
	Poisson  Arrivals = "Poisson"
	Constant Arrivals = "Constant"
)

// Shape is a curve with a name.
type Shape string

// Diurnal is a working day stretched over the whole test: its busy hour, a 24th of it, has 10.3 % of all that happens.
const Diurnal Shape = "Diurnal"

// Stream is one activity, repeated.
type Stream struct {
	Name     string   `json:"name,omitempty"` // default: the activity
	Activity Activity `json:"activity"`
	Model    Model    `json:"model,omitempty"`    // default Open
	Arrivals Arrivals `json:"arrivals,omitempty"` // default Poisson

	// One of the two, for the open model.
	PerUserHour float64 `json:"perUserHour,omitempty"` // times a user does it in an hour
	Rate        float64 `json:"rate,omitempty"`        // per second, all users together

	// Curve multiplies the rate; At is in seconds after the streams begin. Two points at one time are a step. Empty: 1
	// throughout, or the Shape, of which the rate is the mean.
	Curve []Point `json:"curve,omitempty"`
	Shape Shape   `json:"shape,omitempty"`

	// For the closed model.
	Concurrency  int     `json:"concurrency,omitempty"`
	ThinkSeconds float64 `json:"thinkSeconds,omitempty"` // mean, exponential; phones also pause between their steps for as long

	// Actions weighs what a Desktop action is. Empty: the mix of a desktop mail program.
	Actions []Weight `json:"actions,omitempty"`
	// MessagesPerConnection keeps an SMTP connection for several messages. Default 1.
	MessagesPerConnection int `json:"messagesPerConnection,omitempty"`
}

// Point is a vertex of a piecewise linear curve.
type Point struct {
	At     float64 `json:"atSeconds"`
	Factor float64 `json:"factor"`
}

// Action is what a desktop does in its long session.
type Action string

// Actions.
const (
	Noop         Action = "Noop"
	Status       Action = "Status"
	FetchHeaders Action = "FetchHeaders"
	FetchBody    Action = "FetchBody"
	Append       Action = "Append"
	Search       Action = "Search"
	Select       Action = "Select"
	Store        Action = "Store"
	Expunge      Action = "Expunge" // the oldest messages of this test, down to a bound
)

// Weight is the share of one action among all.
type Weight struct {
	Action Action  `json:"action"`
	Weight float64 `json:"weight"`
}

// Sizes says how large messages are.
type Sizes string

// Sizes.
const (
	Small  Sizes = "Small"  // about 8 KB
	Office Sizes = "Office" // heavy-tailed, mean MeanKilobytes
)

// Messages describes the mail that is sent.
type Messages struct {
	Sizes         Sizes   `json:"sizes,omitempty"`
	MeanKilobytes float64 `json:"meanKilobytes,omitempty"`
	MaxKilobytes  float64 `json:"maxKilobytes,omitempty"`
	Recipients    float64 `json:"recipients,omitempty"` // mean
	// ColleagueShare is the part of the recipients who sit in one building: the sender's or, for mail from outside, any. The
	// others may sit anywhere.
	ColleagueShare  float64 `json:"colleagueShare,omitempty"`
	ReplyShare      float64 `json:"replyShare,omitempty"`
	AttachmentShare float64 `json:"attachmentShare,omitempty"`
}

// Network puts the users behind the uplinks of the buildings they sit in. On a loopback target each site has a source
// address of its own.
type Network struct {
	Sites               int     `json:"sites,omitempty"`
	UplinkMegabits      float64 `json:"uplinkMegabits,omitempty"`
	LatencyMilliseconds float64 `json:"latencyMilliseconds,omitempty"` // one way
}

// Checks says how deep content is looked at.
type Checks struct {
	// Witnesses is the share of accounts whose mail is followed message by message, 0 to 1.
	Witnesses float64 `json:"witnesses,omitempty"`
	// Mirrors is how many long sessions of a worker keep a copy of all they were told, and compare.
	Mirrors int `json:"mirrors,omitempty"`
	// Settle is how many witnesses of a worker are read to the end after the run.
	Settle int `json:"settle,omitempty"`
	// Clean removes the test's own mail from those afterwards.
	Clean bool `json:"clean,omitempty"`
}

// Begin is when the streams begin after the start of the run.
func (s *Scenario) Begin() time.Duration { return seconds(s.ConnectSeconds) }

// WarmUp is the part of the run that is not measured.
func (s *Scenario) WarmUp() time.Duration { return s.Begin() + seconds(s.WarmUpSeconds) }

// Total is how long there is load.
func (s *Scenario) Total() time.Duration { return s.WarmUp() + seconds(s.DurationSeconds) }

// Settle bounds the time after it.
func (s *Scenario) Settle() time.Duration { return seconds(s.SettleSeconds) }

// Timeout bounds one operation.
func (s *Scenario) Timeout() time.Duration { return seconds(s.TimeoutSeconds) }

// LagLimit is where a run becomes invalid.
func (s *Scenario) LagLimit() time.Duration { return seconds(s.LagLimitMilliseconds / 1000) }

// PerSecond is the rate of an open stream, all workers together.
func (s *Scenario) PerSecond(t *Stream) float64 {
	if t.Rate > 0 {
		return t.Rate
	}
	return t.PerUserHour * float64(s.Users) / 3600
}

// Closed is how many users closed streams keep at it, and the mean time in seconds that they let pass.
func (s *Scenario) Closed() (users int, think float64) {
	for _, t := range s.Streams {
		if t.Model == Closed {
			users += t.Concurrency
			think += float64(t.Concurrency) * t.ThinkSeconds
		}
	}
	return users, think / float64(max(users, 1))
}

// ThinkSeconds is the mean time between two beginnings of a user, over all open streams and users; 0 if there
// is none. Less the response time it is the Z of the interactive response time law.
func (s *Scenario) ThinkSeconds() float64 {
	if rate := s.Activities(); rate > 0 {
		return float64(s.Users) / rate
	}
	return 0
}

// Scaled is the scenario with that many times the load; the users stay.
func (s *Scenario) Scaled(factor float64) Scenario {
	scaled := *s
	scaled.Streams = slices.Clone(s.Streams)
	for i := range scaled.Streams {
		t := &scaled.Streams[i]
		t.Rate *= factor
		t.PerUserHour *= factor
		if t.Model == Closed {
			t.Concurrency = max(int(float64(t.Concurrency)*factor+0.5), 1)
		}
	}
	return scaled
}

// Activities is how many activities of open streams begin in a second, all users together.
func (s *Scenario) Activities() float64 {
	rate := 0.0
	for i := range s.Streams {
		if s.Streams[i].Model != Closed {
			rate += s.PerSecond(&s.Streams[i])
		}
	}
	return rate
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
