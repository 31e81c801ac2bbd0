"""A synthetic study carried out: settings, plan, folder, sweep, report and figures."""
