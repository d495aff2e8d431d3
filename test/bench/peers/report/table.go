package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Print shows the report as a table: one line for each peer of each measure.
func (r *Report) Print(out io.Writer) error {
	m := r.Machine
	fmt.Fprintf(out, "%s, %d cores, %.0f GiB, Linux %s, %s; 9 KiB and fdatasync take %.2f ms; load %s before, %s after; generator: %.0f %% of the processors\n",
		m.Processor, m.Cores, float64(m.MemoryBytes)/(1<<30), m.Kernel, m.FileSystem, m.SyncMillis, m.LoadBefore, m.LoadAfter, 100*m.CPUShare)
	for _, p := range r.Peers {
		fmt.Fprintf(out, "%s %s: %s\n", p.Name, p.Version, strings.Join(p.Settings, "; "))
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\nMEASURE\tPEER\tMEDIAN\tUNIT\tOURS IS\tP50 MS\tP99 MS\tSERVER CPU MS\tOF OURS\tCLIENT CPU\tROUNDS")
	for _, m := range r.Measures {
		name := m.Name
		for _, result := range m.Results {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, result.Peer, number(result.Median), m.Unit, times(result.Ratio),
				number(result.P50Millis), number(result.P99Millis), number(result.ServerCPUMillis), times(result.CPURatio), percent(result.ClientCPUShare), result.rounds())
			name = ""
		}
	}
	return w.Flush()
}

// times is how many times better ours is, or how many times ours another needs.
func times(ratio float64) string {
	if ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f x", ratio)
}

func (r *Result) rounds() string {
	var all []string
	for _, value := range r.Rounds {
		all = append(all, number(value))
	}
	if r.Error != "" {
		all = append(all, r.Error)
	}
	return strings.Join(all, " ")
}

// number is a figure with three digits or more.
func number(value float64) string {
	switch {
	case value == 0:
		return ""
	case value < 1:
		return fmt.Sprintf("%.3f", value)
	case value < 10:
		return fmt.Sprintf("%.2f", value)
	case value < 100:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.0f", value)
}

func percent(share float64) string {
	if share == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}
