from snndeploy.cli import main

main()
