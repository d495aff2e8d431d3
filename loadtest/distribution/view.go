package distribution

import (
	"gouv.tg/messagerie/loadtest/record"
)

var order = map[Phase]int{Idle: 0, Preparing: 1, Prepared: 2, Running: 3, Done: 4, Failed: 4}

// view sums up what the workers said last.
func (c *Coordinator) view() View {
	v := View{Phase: Done}
	var snapshots []*record.Snapshot
	for _, m := range c.workers {
		phase := m.state.Phase
		if m.lost {
			phase = Failed
		}
		if order[phase] < order[v.Phase] {
			v.Phase = phase
		}
		if !m.state.At.IsZero() {
			v.At = m.state.At
		}
		v.Workers = append(v.Workers, WorkerView{Name: m.Name(), Phase: phase, Reason: m.failure})
		if p := m.state.Progress; p != nil {
			v.Progress.Sessions += p.Sessions
			v.Progress.InFlight += p.InFlight
			v.Progress.ContentErrors += p.ContentErrors
			if p.Elapsed >= v.Progress.Elapsed {
				v.Progress.Phase, v.Progress.Elapsed, v.Progress.Total = p.Phase, p.Elapsed, p.Total
			}
			if p.Snapshot != nil {
				snapshots = append(snapshots, p.Snapshot)
			}
		}
	}
	if v.Phase == Done && c.broken() {
		v.Phase = Failed
	}
	if len(snapshots) > 0 {
		// Snapshots of a moment that do not fit together leave a gap in the view; those of the end are judged.
		v.Progress.Snapshot, _ = record.Merge(snapshots...)
	}
	return v
}
