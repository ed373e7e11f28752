package drill

import (
	_ "embed"

	"github.com/seawall/seawall/internal/drill/scenario"
)

//go:embed demo.yaml
var demoText string

//go:embed demo-quick.yaml
var quickText string

// Demo is the scenario of `seawall demo`, which takes 20 seconds for each half; quick is the same at half the size, in 4 seconds.
func Demo(quick bool) (*scenario.Scenario, error) {
	if quick {
		return scenario.Parse("demo-quick", quickText)
	}
	return scenario.Parse("demo", demoText)
}
