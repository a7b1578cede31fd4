# Rule 2: always-on machines vote before desktops, desktops before laptops, and no laptop votes while there are three
# desktops.

# Two desktops and two laptops: a laptop has to vote.
office 2 desktops 2 laptops seats 1 ttl 15s
> 3 voters, 1 standby, 0 spares
call Desk a voter
call Lap a voter
call Bag a standby
show roles
> 3 voters, 1 standby, 0 spares
> Desk: voter
> Lap: voter, laptop
> Bag: standby, laptop

# With the third desktop none has to.
add desktop Third
await Third voter within 30s
> yes
wait 5s
show roles
> 3 voters, 2 standbys, 0 spares
> Desk: voter
> Lap: standby, laptop
> Bag: standby, laptop
> Third: voter

# A machine that is declared always-on takes the place of one that is not.
office 5 desktops seats 1 ttl 15s
> 3 voters, 2 standbys, 0 spares
call Server a standby
always-on Server
> done
await Server voter within 10s
> yes
wait 3s
show roles
> 3 voters, 2 standbys, 0 spares
> Server: voter

# A new machine is not promoted before it has been healthy for 5 s.
office 2 desktops seats 1 ttl 15s
> 1 voter, 0 standbys, 1 spare
add desktop New
wait 4s
show New
> spare
await 3 voters within 10s
> yes
