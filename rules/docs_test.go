package rules

import (
	"os"
	"strings"
	"testing"
)

// docs/rules.md names every function and every operator.
func TestDocumented(t *testing.T) {
	b, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, name := range functionNames() {
		if !strings.Contains(page, "`"+name+"(") {
			t.Errorf("function %s is not on the page", name)
		}
	}
	for o := orOp; int(o) < len(opNames); o++ {
		if !strings.Contains(page, "`"+o.String()) {
			t.Errorf("operator %s is not on the page", o)
		}
	}
	for _, s := range symbols {
		if !strings.Contains(page, s.text) && !strings.Contains(page, strings.ReplaceAll(s.text, "|", "&#124;")) {
			t.Errorf("operator %s is not on the page", s.text)
		}
	}
}
