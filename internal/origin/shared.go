package origin

import (
	"runtime"
	"sync"
	"weak"
)

// shared are values by key that live as long as somebody else refers to them.
type shared[K comparable, V any] struct {
	mu     sync.Mutex
	values map[K]weak.Pointer[V]
}

// get returns the value of k, which it makes if there is none.
func (s *shared[K, V]) get(k K, create func() *V) *V {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.values[k].Value(); v != nil {
		return v
	}
	v := create()
	if s.values == nil {
		s.values = make(map[K]weak.Pointer[V])
	}
	s.values[k] = weak.Make(v)
	runtime.AddCleanup(v, s.forget, k)
	return v
}

// forget drops the entry of a value that is gone, unless there is a new one.
func (s *shared[K, V]) forget(k K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values[k].Value() == nil {
		delete(s.values, k)
	}
}

// each visits the values that are left. What visit does must not use s.
func (s *shared[K, V]) each(visit func(*V)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.values {
		if v := p.Value(); v != nil {
			visit(v)
		}
	}
}
