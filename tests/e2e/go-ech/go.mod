module echfetch

go 1.26
