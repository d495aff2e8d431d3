package harness

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// healthPort is where cells and gateways tell their metrics.
const healthPort = "7002"

// Metric reads one metric of a cell or gateway, without labels.
func (p Pod) Metric(ctx context.Context, name string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(p.IP, healthPort)+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("cannot read the metrics of %s/%s: %w", p.Namespace, p.Name, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("cannot read the metrics of %s/%s: %w", p.Namespace, p.Name, err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if sample, value, found := strings.Cut(lines.Text(), " "); found {
			if base, _, _ := strings.Cut(sample, "{"); base == name {
				return strconv.ParseFloat(value, 64)
			}
		}
	}
	return 0, fmt.Errorf("cannot read the metrics of %s/%s: no %s with status %s", p.Namespace, p.Name, name, response.Status)
}
