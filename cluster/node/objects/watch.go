package objects

import (
	"context"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// Pauses between attempts to watch an object.
const (
	minPause = 500 * time.Millisecond
	maxPause = 30 * time.Second
)

// watched is an object that somebody listens to.
type watched struct {
	stop      context.CancelFunc
	listeners map[int]func()
	next      int
	last      *Data
}

// Watch calls changed, from another goroutine, whenever the object may have changed, until the returned function is
// called. Callers read the object anew; changed must not block. All listeners of an object share one watch.
func (s *Source) Watch(ref Ref, changed func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watches[ref]
	if w == nil {
		ctx, cancel := context.WithCancel(context.Background())
		w = &watched{stop: cancel, listeners: make(map[int]func())}
		s.watches[ref] = w
		go s.follow(ctx, ref, w)
	}
	id := w.next
	w.next++
	w.listeners[id] = changed
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(w.listeners, id)
		if len(w.listeners) == 0 && s.watches[ref] == w {
			w.stop()
			delete(s.watches, ref)
		}
	}
}

// follow watches one object until ctx is done.
func (s *Source) follow(ctx context.Context, ref Ref, w *watched) {
	pause := minPause
	known := ""
	for ctx.Err() == nil {
		begin := time.Now()
		immutable, err := s.followOnce(ctx, ref, w, &known)
		if immutable {
			return
		}
		if time.Since(begin) > maxPause {
			pause = minPause
		}
		if err != nil && ctx.Err() == nil {
			s.log.Debug("watch ended", "object", ref.String(), "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, maxPause)
	}
}

// followOnce lists and watches until the watch ends. known is the version the listeners have heard of.
func (s *Source) followOnce(ctx context.Context, ref Ref, w *watched, known *string) (immutable bool, err error) {
	version, data, err := s.list(ctx, ref)
	if err != nil {
		return false, err
	}
	if s.tell(ref, w, data, known) {
		return true, nil
	}
	stream, err := s.watch(ctx, ref, version)
	if err != nil {
		return false, err
	}
	defer stream.Stop()
	for event := range stream.ResultChan() {
		if event.Type == watch.Error || event.Type == watch.Bookmark {
			if event.Type == watch.Error {
				return false, nil // usually: the version is too old
			}
			continue
		}
		var data *Data
		switch o := event.Object.(type) {
		case *corev1.Secret:
			if o.Name != ref.Name {
				continue
			}
			data = secretData(o)
		case *corev1.ConfigMap:
			if o.Name != ref.Name {
				continue
			}
			data = configMapData(o)
		default:
			continue
		}
		if event.Type == watch.Deleted {
			data = nil // Pods keep what they have, as with the kubelet
		}
		if s.tell(ref, w, data, known) {
			return true, nil
		}
	}
	return false, nil
}

// tell calls the listeners if the object is not the one they know, and says whether it can never change again.
func (s *Source) tell(ref Ref, w *watched, data *Data, known *string) (immutable bool) {
	if data == nil || data.Version == *known && *known != "" {
		return false
	}
	*known = data.Version
	s.mu.Lock()
	changed := w.last == nil || w.last.Version != data.Version || data.Version == ""
	w.last = data
	listeners := make([]func(), 0, len(w.listeners))
	for _, f := range w.listeners {
		listeners = append(listeners, f)
	}
	s.mu.Unlock()
	if changed {
		s.log.Debug("object changed", "object", ref.String())
		for _, f := range listeners {
			f()
		}
	}
	return data.Immutable
}
