# A machine that is revoked first loses its vote, and then its place in the site; so two of three voters may be revoked
# one right after the other.
office 6 desktops seats 2 ttl 15s over wifi
> 3 voters, 2 standbys, 1 spare
call One a voter
call Two a voter
revoke One
> done
revoke Two
> done
show roles
> 3 voters, 1 standby, 2 spares
> One: spare
> Two: spare
checkout eva@pc0 as a
> granted
kill One Two
wait 15s
show roles
> 3 voters, 1 standby, 2 spares
> One: spare, off
> Two: spare, off

# Also the holder.
office 5 desktops seats 2 ttl 15s over wifi
> 3 voters, 2 standbys, 0 spares
call First the holder
revoke First
> done
kill First
await 3 voters within 20s
> yes
checkout eva@the-holder as a
> granted
