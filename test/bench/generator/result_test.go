package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestCompare(t *testing.T) {
	var order []string
	rates := map[string][]float64{"ours": {30, 10, 20}, "peer": {8, 12, 10}}
	side := func(name string) func() (float64, error) {
		return func() (float64, error) {
			order = append(order, name)
			rate := rates[name][0]
			rates[name] = rates[name][1:]
			return rate, nil
		}
	}
	result := &Result{}
	if err := compare(3, result, side("ours"), side("peer")); err != nil {
		t.Fatal(err)
	}
	if result.Ours.Median != 20 || result.Peer.Median != 10 || result.Ratio != 2 {
		t.Errorf("found %+v", result)
	}
	if want := []string{"ours", "peer", "ours", "peer", "ours", "peer"}; !reflect.DeepEqual(order, want) {
		t.Errorf("order: %v", order)
	}
	broken := errors.New("broken")
	if err := compare(1, result, func() (float64, error) { return 0, broken }, nil); !errors.Is(err, broken) {
		t.Errorf("found %v", err)
	}
	if even := median([]float64{4, 1, 3, 2}); even != 2.5 {
		t.Errorf("median: found %v", even)
	}
}

func TestResultsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "generator.json")
	results, err := read(path)
	if err != nil || len(results) != 0 {
		t.Fatal(results, err)
	}
	results["smtp"] = &Result{Unit: "messages per CPU-second", Ratio: 1.5}
	if err := write(path, results); err != nil {
		t.Fatal(err)
	}
	again, err := read(path)
	if err != nil || !reflect.DeepEqual(again, results) {
		t.Fatalf("found %v, %v", again, err)
	}
	os.WriteFile(path, []byte("{"), 0o644)
	if _, err := read(path); err == nil {
		t.Error("a cut file was accepted")
	}
}

func TestMessage(t *testing.T) {
	message := smtpMessage()
	body := message[len(message)-smtpOctets:]
	if before := string(message[len(message)-smtpOctets-4 : len(message)-smtpOctets]); before != "\r\n\r\n" || len(body) != smtpOctets {
		t.Errorf("before the body: %q", before)
	}
}
