package store

import (
	"testing"
	"testing/synctest"
)

type value int64

func (v value) Size() int64 { return int64(v) }

func TestMemory(t *testing.T) {
	m, err := New[value](1000)
	if err != nil {
		t.Fatal(err)
	}
	k := Key(1)
	if _, ok := m.Get(k); ok {
		t.Error("empty: got a value")
	}
	m.Set(k, 10)
	m.Set(k, 20)
	if got, ok := m.Get(k); got != 20 || !ok {
		t.Errorf("set: got %d, %v, want 20", got, ok)
	}
	m.Delete(k)
	if _, ok := m.Get(k); ok {
		t.Error("deleted: got a value")
	}
	m.Set(k, 10)
	m.Set(k, MaxValue+1)
	if _, ok := m.Get(k); ok {
		t.Error("replaced by one that is too large: got a value")
	}
}

func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New[value](1000)
		if err != nil {
			t.Fatal(err)
		}
		add := func(v value) (value, bool) { return v + 7, v < 20 }
		m.Update(1, add)
		if _, ok := m.Get(1); ok {
			t.Error("update of nothing: got a value")
		}
		m.Set(1, 10)
		for range 3 {
			m.Update(1, add)
		}
		synctest.Wait()
		if got, _ := m.Get(1); got != 24 {
			t.Errorf("got %d, want 24: two updates, and one that left it as it was", got)
		}
		if n, bytes, _ := m.Stats(); n != 1 || bytes != 24 {
			t.Errorf("got %d values of %d bytes, want one of 24", n, bytes)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New[value](10_000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(2000) {
			m.Set(Key(i), 100)
		}
		synctest.Wait() // for the eviction
		n, bytes, evictions := m.Stats()
		if bytes > 10_000 || n > 100 || bytes != int64(n)*100 {
			t.Errorf("got %d values of %d bytes, want at most 100 of 10000", n, bytes)
		}
		if want := uint64(2000 - n); evictions != want {
			t.Errorf("evictions: got %d, want %d", evictions, want)
		}
	})
}

// What many ask for stays when many new keys come.
func TestMemoryKeepsWhatIsAskedFor(t *testing.T) {
	popular := func(i uint64) Key { return Key(1<<32 + i) }
	synctest.Test(t, func(t *testing.T) {
		m, err := New[value](10_000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(20) {
			m.Set(popular(i), 100)
		}
		for i := range uint64(1500) {
			m.Set(Key(i), 100)
			m.Get(popular(i % 20))
			synctest.Wait()
		}
		kept := 0
		for i := range uint64(20) {
			if _, ok := m.Get(popular(i)); ok {
				kept++
			}
		}
		if kept < 18 {
			t.Errorf("kept %d of 20 popular values, want nearly all", kept)
		}
	})
}

func TestNewRefusesNoSize(t *testing.T) {
	if _, err := New[value](0); err == nil {
		t.Error("got no error, want one")
	}
}

// TestNothing wants the nil memory to keep nothing, and to take everything.
func TestNothing(t *testing.T) {
	var m *Memory[value]
	m.Set(1, 10)
	m.Delete(1)
	m.Clear()
	if v, ok := m.Get(1); ok || len(m.Hottest()) > 0 {
		t.Errorf("got %v, %v and %v, want nothing", v, ok, m.Hottest())
	}
	if n, bytes, evictions := m.Stats(); n != 0 || bytes != 0 || evictions != 0 {
		t.Errorf("got %d values of %d bytes and %d evictions, want none", n, bytes, evictions)
	}
}
